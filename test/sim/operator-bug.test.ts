/** The whole operator on simulated time, with an object that it cannot deal with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KafkaCluster, kafkaClusters } from '../../kube/kafka-objects.ts';
import { type KubeObject, type Resource, statefulSets } from '../../kube/objects.ts';
import { Operator } from '../../operator/operator.ts';
import { setFate } from '../../stdx/bug.ts';
import { silentLogger } from '../../stdx/logger.ts';
import { SimKube } from './kube.ts';
import { Random } from './random.ts';
import { clockOf, Process, Scheduler } from './scheduler.ts';

test('a cluster that meets a bug of the operator is told so, and the others are looked after', async () => {
  const ended: unknown[] = [];
  using _ = setFate((doing, cause) => void ended.push(`${doing}: ${cause}`));
  const random = new Random(1);
  const scheduler = new Scheduler();
  using kube = new SimKube(scheduler, random);
  const process = new Process('operator');
  const make = (name: string) =>
    kube.api.create(
      kube.kindOf(kafkaClusters),
      'default',
      {
        apiVersion: 'kafka.tenure.dev/v1beta1',
        kind: 'KafkaCluster',
        metadata: { name },
        spec: { replicas: 1, storage: { type: 'ephemeral' } },
      } as unknown as KubeObject,
      {},
    );
  for (const name of ['a-bad', 'good']) make(name);
  const operator = new Operator({
    api: kube.for(process),
    clock: clockOf(scheduler, process, { rate: 1, skewMs: 0 }),
    chance: random.fork(),
    logger: silentLogger,
    defaults: { image: 'i', clusterDns: true, brokerLogFormat: 'json', knowsNodes: false },
    bootstrapShown: ({ metadata }) => {
      if (metadata.name === 'a-bad') throw new TypeError('planted');
      return 'here:9092';
    },
    namespace: '',
    watchNodes: false,
    election: null,
    onLost: () => ended.push('lost'),
    admin: null,
  });
  process.run(() => void operator.start());
  await scheduler.runUntil(20_000);
  make('later');
  await scheduler.runUntil(40_000);
  assert.deepEqual(ended, []);
  const list = <T extends KubeObject>(resource: Resource<T>) =>
    kube.api.list(kube.kindOf(resource), 'default', () => true) as T[];
  const sets = list(statefulSets).map(({ metadata }) => metadata.name);
  for (const name of ['good', 'later']) assert.ok(sets.includes(`${name}-broker`), sets.join());
  const bad = list<KafkaCluster>(kafkaClusters).find(({ metadata }) => metadata.name === 'a-bad');
  const told = bad?.status?.conditions?.find(({ reason }) => reason === 'OperatorBug');
  assert.deepEqual([told?.type, told?.status], ['Degraded', 'True']);
  assert.match(told?.message ?? '', /planted/);
  const events = list({ group: '', version: 'v1', plural: 'events' } as Resource);
  assert.equal(
    events.filter((event) => (event as unknown as { reason: string }).reason === 'OperatorBug')
      .length,
    1,
  );
  process.kill();
});
