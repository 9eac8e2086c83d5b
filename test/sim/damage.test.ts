/** Bits that flip on the disks of running brokers: found, healed from another replica, never served. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, batchesOf, batchFault } from '../../proto/kafka/record-batch.ts';
import { Stage } from './stage.ts';
import type { SimNode } from './world.ts';

const SCRUB = { 'log.scrub.interval.ms': 4_000 };
const NEVER = { 'log.scrub.interval.ms': 1e12 };
/** More than brokers keep in memory. */
const BATCHES = 400;

async function fill(stage: Stage): Promise<void> {
  for (let i = 0; i < BATCHES; i += 20)
    await stage.answer(
      Promise.all(
        Array.from({ length: 20 }, () => stage.client.produce(stage.leader, { records: 20 })),
      ),
    );
}

/** Files of the partition by their name, without what is beside them. */
function filesOf({ disk }: SimNode, suffix = '.log'): Map<string, Buffer> {
  const found = disk.paths.filter(
    (path) => /\/t-0\/\d{20}\.[a-z]+$/.test(path) && path.endsWith(suffix),
  );
  return new Map(
    found.map((path) => [path.replace(/^.*\//, ''), disk.contentOf(path) ?? Buffer.alloc(0)]),
  );
}

function flip({ disk }: SimNode, name: string, at: number, bit = 4): void {
  const path = disk.paths.find((one) => one.endsWith(`/t-0/${name}`));
  assert.ok(path !== undefined);
  disk.flipBit(path, at * 8 + bit);
}

const contentOf = (node: SimNode) => Buffer.concat([...filesOf(node).values()]);
const figures = (node: SimNode) => {
  const { broker } = node as unknown as {
    broker: { integrity?: { figures: { found: number; healed: number; open: number } } };
  };
  return broker.integrity?.figures ?? { found: 0, healed: 0, open: 0 };
};
const total = (stage: Stage, of: 'found' | 'healed' | 'open') =>
  stage.world.nodes.reduce((sum, node) => sum + figures(node)[of], 0);

async function whole(stage: Stage): Promise<void> {
  await stage.until(
    () => total(stage, 'open') === 0 && stage.line?.isr.length === stage.world.nodes.length,
  );
}

test('every bit that flips is found by the scrubber and healed from another replica', async () => {
  using stage = await Stage.begin(3, SCRUB);
  await fill(stage);
  const before = Buffer.from(contentOf(stage.leader));
  const names = [...filesOf(stage.leader).keys()];
  assert.ok(names.length > 20);
  let rounds = 0;
  for (const node of stage.world.nodes)
    for (const [file, at] of [
      [0, 8],
      [3, 3],
      [7, 100],
      [names.length - 1, 14],
    ] as const) {
      flip(node, names[file] as string, at);
      rounds++;
      await stage.until(() => total(stage, 'found') === rounds);
      await whole(stage);
      for (const other of stage.world.nodes)
        assert.ok(contentOf(other).equals(before), `${other.name} after ${names[file]} at ${at}`);
    }
  assert.equal(total(stage, 'healed'), rounds);
  assert.equal(await stage.answer(stage.client.produce(stage.leader)), 'NONE');
  assert.deepEqual(stage.world.bugs, []);
});

test('indexes that are damaged are made anew, and nobody leaves the ISR for that', async () => {
  using stage = await Stage.begin(3, SCRUB);
  await fill(stage);
  const { leader } = stage;
  const before = stage.line?.partitionEpoch;
  const name = [...filesOf(leader, '.timeindex')].find(([, bytes]) => bytes.length > 0)?.[0];
  assert.ok(name !== undefined);
  const good = Buffer.from(filesOf(leader, '.timeindex').get(name) ?? []);
  flip(leader, name, 11, 0);
  await stage.until(() => figures(leader).healed === 1);
  assert.deepEqual(filesOf(leader, '.timeindex').get(name), good);
  assert.equal(stage.line?.partitionEpoch, before);
});

/** Reads like a consumer that asks again when the leader may be another one. */
async function readAll(stage: Stage): Promise<{ batches: number; errors: Set<string> }> {
  const errors = new Set<string>();
  let batches = 0;
  let offset = 0;
  for (let tries = 0; offset < BATCHES * 20 && tries < 2_000; tries++) {
    const { leader } = stage;
    if (leader === undefined) {
      await stage.world.run(100);
      continue;
    }
    const answer = await stage.answer(stage.client.fetch(leader, offset));
    if (answer.error !== 'NONE') {
      errors.add(answer.error);
      await stage.world.run(100);
      continue;
    }
    for (const [base, last] of answer.batches) {
      assert.equal(base, offset, 'no record is passed over');
      offset = last + 1;
      batches++;
    }
  }
  return { batches, errors };
}

test('a consumer that meets damage goes on with another leader, and nobody is restarted', async () => {
  for (const at of [8, 11, 0, 16, 200]) {
    using stage = await Stage.begin(3, NEVER);
    await fill(stage);
    const { leader } = stage;
    flip(leader, [...filesOf(leader).keys()][2] as string, at, 6);
    const epoch = stage.world.brokerEpochOf(leader);
    const { batches, errors } = await readAll(stage);
    assert.equal(batches, BATCHES, `byte ${at}`);
    assert.deepEqual(
      [...errors].filter((one) => !one.includes('LEADER')),
      ['KAFKA_STORAGE_ERROR'],
    );
    await whole(stage);
    assert.equal(stage.world.brokerEpochOf(leader), epoch, 'the same life');
    const other = stage.world.nodes.find((node) => node !== leader) as SimNode;
    assert.ok(contentOf(leader).equals(contentOf(other)));
    assert.ok(leader.disk.paths.some((path) => path.endsWith('.log.corrupt')));
    assert.equal(leader.disk.paths.filter((path) => path.endsWith('.corrupt')).length <= 4, true);
  }
});

test('the last copy is kept: what can be read is served, the rest is named', async () => {
  using stage = await Stage.begin(1, NEVER);
  await fill(stage);
  const { leader } = stage;
  const name = [...filesOf(leader).keys()][2] as string;
  flip(leader, name, 200);
  const damaged = Buffer.from(filesOf(leader).get(name) as Buffer);
  await stage.answer(stage.client.fetch(leader, Number(name.slice(0, 20))));
  await stage.world.run(5_000);
  const { error } = await stage.answer(stage.client.fetch(leader, Number(name.slice(0, 20)) + 25));
  assert.equal(error, 'CORRUPT_MESSAGE');
  assert.deepEqual(filesOf(leader).get(name), damaged);
  assert.equal((await stage.answer(stage.client.fetch(leader, 0))).error, 'NONE');
  const last = Number([...filesOf(leader).keys()][5]?.slice(0, 20));
  assert.equal((await stage.answer(stage.client.fetch(leader, last))).error, 'NONE');
  assert.equal(await stage.answer(stage.client.produce(leader)), 'NONE');
  assert.equal(await stage.answer(stage.client.deleteRecords(leader, last)), 'NONE');
});

test('a replica that is made anew gets nothing damaged, and is in sync all the same', async () => {
  using stage = await Stage.begin(3, NEVER);
  await fill(stage);
  const { leader, world } = stage;
  const follower = world.nodes.find((node) => node !== leader) as SimNode;
  world.losePower(follower);
  await stage.until(() => stage.line?.isr.length === 2);
  follower.disk.remove('/data');
  follower.disk.remove('/data-1');
  flip(leader, [...filesOf(leader).keys()][2] as string, 8);
  flip(leader, [...filesOf(leader).keys()][4] as string, 300);
  world.start(follower);
  await whole(stage);
  for (const bytes of filesOf(follower).values())
    for (const { at, end } of batchesOf(bytes)) assert.equal(batchFault(bytes, at, end), null);
  const third = world.nodes.find((node) => node !== leader && node !== follower) as SimNode;
  assert.ok(contentOf(follower).equals(contentOf(third)));
  assert.equal(batch.baseOffset(contentOf(follower)), 0);
});
