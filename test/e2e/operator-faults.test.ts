/**
 * What becomes of a cluster whose operator is killed after any of its writes, or is told of changes late,
 * twice, or not at all: it always ends as if nothing had happened, and then nothing is written.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf } from '../../kube/conditions.ts';
import { annotations, type KafkaCluster, kafkaClusters } from '../../kube/kafka-objects.ts';
import { pods } from '../../kube/objects.ts';
import { Random } from '../sim/random.ts';
import { FaultyApi } from '../support/faulty-api.ts';
import { sleepMs, until } from '../support/local.ts';
import { OperatorStage } from '../support/operator-stage.ts';

const SPEC = {
  replicas: 3,
  listeners: [
    { name: 'internal', port: 9092, type: 'internal' },
    { name: 'outside', port: 9094, type: 'nodeport' },
  ],
};
const at = { namespace: 'default', name: 'c' };
let stage: OperatorStage;

before(async () => {
  stage = await OperatorStage.open();
});
after(() => stage?.[Symbol.asyncDispose]());

async function isSettled(): Promise<boolean> {
  const cluster = (await stage.api.get(kafkaClusters, 'default', 'c')) as KafkaCluster | null;
  const { items } = await stage.api.list(pods, { namespace: 'default' });
  const { status, spec, metadata } = cluster ?? {};
  return (
    items.length === spec?.replicas &&
    items.every((pod) => pod.metadata.deletionTimestamp === undefined) &&
    status?.observedGeneration === metadata?.generation &&
    conditionOf(status?.conditions, 'Ready')?.status === 'True' &&
    conditionOf(status?.conditions, 'Progressing')?.status === 'False'
  );
}

/** The life of a cluster, its operator being what `run` makes of it: made, rolled, scaled down. */
async function live(run: (done: () => Promise<void>) => Promise<void>) {
  await stage.createCluster('c', SPEC);
  stage.downMax = 0;
  stage.deleted.length = 0;
  await run(async () => {
    await until('the cluster is made', 30_000, isSettled);
    await stage.api.patch(kafkaClusters, at, {
      metadata: { annotations: { [annotations.restart]: 'now' } },
    });
    await until('all are restarted', 30_000, async () => {
      return new Set(stage.deleted).size === 3 && (await isSettled());
    });
    await stage.api.patch(kafkaClusters, at, { spec: { replicas: 2 } });
    await until('one is gone', 30_000, isSettled);
  });
  const version = stage.version;
  await sleepMs(150);
  assert.equal(stage.version, version, 'nothing is written once there is nothing to do');
  const world = stage.world();
  const { deleted, downMax } = stage;
  await stage.api.delete(kafkaClusters, 'default', 'c');
  await until('everything is gone with it', 10_000, async () => {
    const { items } = await stage.api.list(pods, { namespace: 'default' });
    return items.length === 0;
  });
  return { world, deleted: [...deleted], downMax };
}

let calm: { world: string[]; deleted: string[]; downMax: number; writes: string[] };

test('left in peace, an operator restarts brokers one by one and writes what is needed', async () => {
  let writes: string[] = [];
  const result = await live(async (done) => {
    const api = new FaultyApi(stage.api);
    await using operator = stage.operator(api);
    await operator.start();
    await done();
    writes = api.writes;
  });
  calm = { ...result, writes };
  assert.equal(calm.downMax, 1);
  assert.equal(new Set(calm.deleted).size, 3);
  assert.ok(writes.length > 20 && writes.length < 120, `${writes.length} writes`);
});

test('killed after any one of its writes, the next operator brings everything to the same end', async () => {
  for (let diesAfter = 1; diesAfter <= calm.writes.length; diesAfter++) {
    const { world, downMax } = await live(async (done) => {
      const first = new FaultyApi(stage.api, { diesAfter });
      const dying = stage.operator(first);
      void dying.start();
      let next: ReturnType<OperatorStage['operator']> | null = null;
      void first.died.then(async () => {
        next = stage.operator(new FaultyApi(stage.api));
        await next.start();
      });
      await done();
      // It may have come to the end with fewer writes, and would go on beside those of the next tests.
      if (!first.isDead) await dying[Symbol.asyncDispose]();
      await (next as AsyncDisposable | null)?.[Symbol.asyncDispose]();
    });
    const when = `killed after write ${diesAfter}`;
    assert.deepEqual(world, calm.world, when);
    assert.equal(downMax, 1, when);
  }
});

test('told late, twice or not at all, it does the same', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Random(seed);
    const faults = { random, delayMsMax: 60, duplicate: 0.2, lose: 0.15 };
    const { world, downMax } = await live(async (done) => {
      await using operator = stage.operator(new FaultyApi(stage.api, { faults }));
      await operator.start();
      await done();
      // What it was told late it may still act on.
      await sleepMs(300);
    });
    assert.deepEqual(world, calm.world, `seed ${seed}`);
    assert.equal(downMax, 1, `seed ${seed}`);
  }
});
