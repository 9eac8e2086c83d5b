/** What clients are told of a log whose end is not committed, whoever they say that they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorName } from '../../proto/kafka/errors.ts';
import { TOPIC } from './scene.ts';
import { Stage } from './stage.ts';
import type { SimNode } from './world.ts';

const LATEST = -1;

function cutOff({ world }: Stage, node: SimNode): void {
  for (const other of world.nodes) {
    if (other === node) continue;
    world.network.cut(node.name, other.name);
    world.network.cut(other.name, node.name);
  }
}

/** A fetch of a client that says it is a replica, as followers of Apache Kafka fetch. */
async function fetchAs(stage: Stage, replicaId: number, version: 11 | 16, offset: number) {
  const { client, leader, line } = stage;
  const brokerEpoch = line?.isr.find(({ id }) => id === replicaId)?.epoch ?? -1;
  const { errorCode, responses } = await stage.answer(
    client.ask(leader.name, 'Fetch', version, {
      ...(version === 11
        ? { replicaId }
        : { replicaState: { replicaId, replicaEpoch: brokerEpoch } }),
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1 << 20,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: TOPIC,
          topicId: line?.topicId,
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: line?.leaderEpoch ?? -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              logStartOffset: 0,
              partitionMaxBytes: 1 << 20,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    }),
  );
  const of = responses[0]?.partitions[0];
  assert.ok(of !== undefined && errorCode === 0);
  const records = of.records as unknown as Buffer | null;
  return { byteCount: records?.length ?? 0, highWatermark: of.highWatermark };
}

test('a client that says it is a replica sees no more than others, and confirms nothing', async () => {
  using stage = await Stage.begin(3);
  const { client, leader, world } = stage;
  assert.equal(await stage.answer(client.produce(leader)), 'NONE');
  await world.run(1_000);
  cutOff(stage, leader);
  // In the log of the leader alone.
  assert.equal(await stage.answer(client.produce(leader, { acks: 1 })), 'NONE');
  for (const version of [11, 16] as const)
    for (const replicaId of [0, 1, 2])
      for (const offset of [0, 1, 2]) {
        const { byteCount, highWatermark } = await fetchAs(stage, replicaId, version, offset);
        assert.equal(highWatermark, 1, `as ${replicaId} in version ${version} at ${offset}`);
        if (offset > 0) assert.equal(byteCount, 0, 'nothing that is not committed');
      }
  assert.equal((await stage.answer(client.fetch(leader, 0))).highWatermark, 1);
});

test('a new leader names no end of the log before it knows that of its predecessor', async () => {
  using stage = await Stage.begin(3);
  const { client, world } = stage;
  const old = stage.leader;
  const latest = async () => {
    const { topics } = await stage.answer(
      client.ask(stage.leader.name, 'ListOffsets', 6, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          {
            name: TOPIC,
            partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: LATEST }],
          },
        ],
      }),
    );
    const of = topics[0]?.partitions[0];
    return of?.errorCode === 0 ? of.offset : errorName(of?.errorCode ?? -1);
  };
  const [one, other] = world.nodes.filter((node) => node !== old) as [SimNode, SimNode];
  world.network.cut(one.name, other.name);
  world.network.cut(other.name, one.name);
  for (let i = 0; i < 4; i++) assert.equal(await stage.answer(client.produce(old)), 'NONE');
  // The others have the last one, and have not heard that it is committed.
  const last = client.produce(old).finally(() => world.kill(old));
  assert.equal(await stage.answer(last), 'NONE');
  await stage.until(() => stage.leader !== old && stage.line?.leader != null);
  const said = new Set<number | string>();
  for (let i = 0; i < 10; i++) {
    said.add(await latest());
    await world.run(50);
  }
  world.network.heal();
  await stage.until(() => stage.line?.isr.length === 2);
  await world.run(2_000);
  said.add(await latest());
  assert.deepEqual(said, new Set([5, 'OFFSET_NOT_AVAILABLE']));
});
