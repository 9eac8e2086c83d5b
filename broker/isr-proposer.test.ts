import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLine, type PartitionLine } from '../kube/partition-line.ts';
import { clockOf, Process, Scheduler } from '../test/sim/scheduler.ts';
import { logConfig } from '../test/support/log-config.ts';
import { Side } from '../test/support/replica-pair.ts';
import { IsrProposer } from './isr-proposer.ts';
import { Partitions } from './partition/partitions.ts';
import type { AlterPartitionResponse } from './replication/services.ts';

const SELF = { id: 1, epoch: 1 };
const JOINS = { id: 2, epoch: 1 };

/** A leader alone in its ISR with a follower that could join; the controller answers what the test says. */
function setUp() {
  const scheduler = new Scheduler();
  const clock = clockOf(scheduler, new Process('leader'), { rate: 1, skewMs: 0 });
  const { partition } = new Side(SELF, clock, logConfig());
  const line: PartitionLine = {
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: SELF,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [1, 2],
    isr: [SELF],
    elr: [],
    adding: [],
    removing: [],
  };
  partition.applyLine(line, SELF);
  partition.onFollowerProgress({ id: 2, brokerEpoch: 1, endOffset: 0 });
  const partitions = new Partitions();
  partitions.add(partition);
  const world = {
    answer: (): Partial<AlterPartitionResponse> => assert.fail('nothing is asked'),
    asked: 0,
    lines: [] as PartitionLine[],
  };
  const proposer = new IsrProposer({
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {}, child: () => assert.fail() },
    image: { broker: () => ({ epoch: 1, fenced: false, draining: false }) } as never,
    partitions,
    controller: {
      alterPartition: async () => {
        world.asked++;
        return { accepted: true, results: [], ...world.answer() };
      },
    } as never,
    self: () => SELF,
    onLine: (newer) => {
      world.lines.push(newer);
      partition.applyLine(newer, SELF);
    },
  });
  const of = { topicId: 'x', partition: 0 };
  return {
    world,
    core: partition.leaderCore,
    partition,
    passMs: (ms: number) => scheduler.runUntil(scheduler.nowMs + ms),
    /** The answer for the one partition. */
    result: (line: string, refused: boolean) => ({ results: [{ ...of, line, refused }] }),
    line,
    proposer,
  };
}

const unanswered = {
  'the connection broke': () => {
    throw new Error('UNAVAILABLE');
  },
  'that broker is not the controller': () => ({ accepted: false }),
} as const;

for (const [why, answer] of Object.entries(unanswered)) {
  test(`a proposal that may have been heard stays in force and is repeated (${why})`, async () => {
    const { core, passMs, proposer, world } = setUp();
    using _ = proposer;
    world.answer = answer;
    await passMs(400);
    assert.equal(world.asked, 1);
    for (let i = 0; i < 20; i++) {
      await passMs(500);
      assert.equal(core?.hasProposal, true, 'the ISR may have that member by now');
      assert.equal(core.advance(5, { minInsyncReplicas: 1, replicaLagTimeMaxMs: 1000 }), false);
    }
    assert.ok(world.asked > 5, `asked ${world.asked} times`);
  });
}

test('a page that could not be written leaves the proposal undecided, and it is repeated', async () => {
  const { core, line, passMs, proposer, result, world } = setUp();
  using _ = proposer;
  world.answer = () => result(formatLine(line), false);
  await passMs(5_000);
  assert.equal(core?.hasProposal, true);
  assert.ok(world.asked > 2, `asked ${world.asked} times`);
});

test('a refusal ends the proposal', async () => {
  const { core, line, passMs, proposer, result, world } = setUp();
  using _ = proposer;
  world.answer = () => result(formatLine(line), true);
  await passMs(401);
  assert.equal(world.asked, 1);
  assert.equal(core?.hasProposal, false);
});

test('the line that the controller answers with is taken', async () => {
  const { line, passMs, proposer, result, world } = setUp();
  using _ = proposer;
  const newer = { ...line, partitionEpoch: 1, isr: [SELF, JOINS] };
  world.answer = () => result(formatLine(newer), false);
  await passMs(401);
  assert.deepEqual(world.lines, [newer]);
});

test('a proposal outlives an interruption of the leadership in which nobody answers', async () => {
  const { core, line, partition, passMs, proposer, world } = setUp();
  using _ = proposer;
  world.answer = unanswered['the connection broke'];
  await passMs(400);
  assert.equal(world.asked, 1);
  partition.goOffline('NOT_LEADER_OR_FOLLOWER');
  await passMs(2_000);
  assert.equal(world.asked, 1, 'who does not lead asks for nothing');
  partition.applyLine(line, SELF);
  assert.equal(partition.leaderCore, core);
  await passMs(2_000);
  assert.ok(world.asked > 1, 'it is still undecided');
});
