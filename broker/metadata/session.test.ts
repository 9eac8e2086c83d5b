import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaBroker, KafkaCluster } from '../../kube/kafka-objects.ts';
import type { KubeObject, Lease } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { systemChance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import { createLogger } from '../../stdx/logger.ts';
import { type Lives, Session } from './session.ts';

const cluster = { metadata: { name: 'c', uid: 'u' }, spec: {} } as KafkaCluster;

/** An API that keeps two objects, and everything that happens in order. */
class Stage {
  readonly happened: string[] = [];
  readonly objects = new Map<string, KubeObject>();
  /** How often writes of a kind fail after they were done. */
  lostAnswers = new Map<string, number>();
  readonly lives: { former: Lives['former']; pagesEpoch: number } = {
    former: null,
    pagesEpoch: -1,
  };
  epoch = -1;
  keptSince = -1;
  nowMs = 0;
  renew = () => {};
  /** How long a write takes. */
  writeMs = 0;

  private readonly clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => this.nowMs,
    after(_, run) {
      setImmediate(run);
      return { [Symbol.dispose]() {} };
    },
    every: (_, run) => {
      this.renew = run;
      return { [Symbol.dispose]() {} };
    },
    endOfTurn: () => {},
  };

  private write(resource: { plural: string }, object: KubeObject): KubeObject {
    this.nowMs += this.writeMs;
    this.happened.push(`write ${resource.plural}`);
    this.objects.set(resource.plural, object);
    const lost = this.lostAnswers.get(resource.plural) ?? 0;
    this.lostAnswers.set(resource.plural, lost - 1);
    if (lost > 0) throw new Error('the connection broke');
    return object;
  }

  async begin(): Promise<Session> {
    const api = {
      get: async (resource: { plural: string }) => this.objects.get(resource.plural) ?? null,
      create: async (resource: { plural: string }, object: KubeObject) =>
        this.write(resource, object),
      replace: async (resource: { plural: string }, object: KubeObject) =>
        this.write(resource, object),
      patch: async () => ({}),
    } as unknown as KubeApi;
    const session = new Session(
      {
        api,
        clock: this.clock,
        chance: systemChance,
        logger: { ...createLogger({ level: 'error', format: 'text' }), warn: () => {} },
        onReplaced: () => {},
      },
      {
        namespace: 'n',
        cluster: 'c',
        id: 1,
        host: 'h',
        port: 1,
        replicationPort: 2,
        podUid: '',
        rack: null,
        version: 'v',
        sessionTimeoutMs: 9000,
        renewPeriodMs: 2000,
      },
    );
    await session.begin(cluster, {
      ...this.lives,
      begin: ({ epoch }) => void this.happened.push(`begin ${epoch}`),
      note: ({ epoch, keptSince }) => void this.happened.push(`note ${epoch} since ${keptSince}`),
    });
    this.epoch = session.epoch;
    this.keptSince = session.keptSince;
    return session;
  }

  get lease(): Lease {
    return this.objects.get('leases') as Lease;
  }
  get broker(): KafkaBroker {
    return this.objects.get('kafkabrokers') as KafkaBroker;
  }
}

test('a life is on the volumes before anybody can learn of it', async () => {
  const stage = new Stage();
  await stage.begin();
  assert.deepEqual(stage.happened, [
    'begin 1',
    'write leases',
    'note 1 since 1',
    'write kafkabrokers',
  ]);
  assert.equal(stage.broker.spec.epoch, 1);
});

test('an older volume is announced as one that kept nothing', async () => {
  const stage = new Stage();
  const first = await stage.begin();
  await first.end();
  assert.equal(stage.lease.spec?.holderIdentity, '', 'the Lease was given back');
  stage.lives.former = {
    epoch: 1,
    keptSince: 1,
    incarnation: first.incarnation,
    begun: [],
    keptData: true,
  };
  const second = await stage.begin();
  assert.deepEqual([stage.epoch, stage.keptSince], [2, 1]);
  await second.end();
  // The copy of the first life again.
  await stage.begin();
  assert.deepEqual([stage.epoch, stage.keptSince], [3, 3]);
  assert.equal(stage.broker.spec.keptSince, 3);
});

test('answers that are lost cost a new epoch, and no standing', async () => {
  const stage = new Stage();
  const first = await stage.begin();
  stage.lives.former = {
    epoch: 1,
    keptSince: 1,
    incarnation: first.incarnation,
    begun: [],
    keptData: true,
  };
  stage.lostAnswers = new Map([
    ['leases', 1],
    ['kafkabrokers', 1],
  ]);
  stage.happened.length = 0;
  await stage.begin();
  assert.deepEqual(stage.happened, [
    'begin 2',
    'write leases',
    'begin 3',
    'write leases',
    'note 3 since 1',
    'write kafkabrokers',
    'begin 4',
    'write leases',
    'note 4 since 1',
    'write kafkabrokers',
  ]);
});

test('a renewal confirms that the broker lived when it was sent, not when it was answered', async () => {
  const stage = new Stage();
  const session = await stage.begin();
  stage.nowMs = 2_000;
  stage.writeMs = 20_000;
  stage.renew();
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assert.equal(stage.nowMs, 22_000);
  assert.equal(session.confirmedAtMs, 2_000);
});
