import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { systemChance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import { silentLogger } from '../../stdx/logger.ts';
import { ControllerLease } from './controller-lease.ts';

const TICK_MS = 200;

/** A Lease in an API, a clock that goes as the test says, and candidates. */
class Stage {
  nowMs = 0;
  lease: Lease;
  takeovers = 0;
  private version = 7;
  private readonly due: { atMs: number; run: () => void }[] = [];
  private readonly ticks = new Map<number, () => void>();

  constructor(holderIdentity: string) {
    this.lease = {
      metadata: { name: 'c-controller', resourceVersion: '7' },
      spec: { holderIdentity, leaseTransitions: 3 },
    } as Lease;
  }

  candidate(id: number): ControllerLease {
    const clock: Clock = {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      after: (delayMs, run) => {
        this.due.push({ atMs: this.nowMs + delayMs, run });
        return { [Symbol.dispose]() {} };
      },
      every: (_periodMs, run) => {
        this.ticks.set(id, run);
        return { [Symbol.dispose]() {} };
      },
      endOfTurn: () => {},
    };
    const api = {
      get: async () => this.lease,
      replace: async (_: unknown, lease: Lease) => {
        const metadata = { ...lease.metadata, resourceVersion: String(++this.version) };
        this.lease = { ...lease, metadata };
        return this.lease;
      },
    } as unknown as KubeApi;
    return new ControllerLease(
      {
        api,
        clock,
        chance: systemChance,
        logger: silentLogger,
        owner: () => ({ apiVersion: 'v1', kind: 'X', name: 'c', uid: 'u' }),
        epochSeen: () => 0,
        isAlone: () => false,
        onElected: () => void this.takeovers++,
        onDeposed: () => {},
      },
      { namespace: 'n', cluster: 'c', id, incarnation: 'new' },
    );
  }

  /** Lets everything happen that is due, and all that follows from it without time going on. */
  async settle(): Promise<void> {
    for (const { run } of this.due.filter(({ atMs }) => atMs <= this.nowMs)) run();
    this.due.splice(0, this.due.length, ...this.due.filter(({ atMs }) => atMs > this.nowMs));
    // Whatever the API is asked is answered by promises alone: all of them have settled by then.
    await new Promise((done) => setImmediate(done));
  }

  /** That much time goes by, and then the candidate looks. */
  async look(id: number, elapsedMs: number): Promise<void> {
    this.nowMs += elapsedMs;
    this.ticks.get(id)?.();
    await this.settle();
  }
  async looks(id: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.look(id, TICK_MS);
  }
}

test('the Lease of a former life of the same broker is taken at once', async () => {
  const stage = new Stage('0/old');
  stage.candidate(0).onLease(stage.lease);
  await stage.settle();
  assert.deepEqual([stage.takeovers, stage.lease.spec?.leaseTransitions], [1, 4]);
});

test('the Lease of another broker is left until it runs out', async () => {
  const stage = new Stage('1/old');
  stage.candidate(0).onLease(stage.lease);
  await stage.looks(0, 15);
  assert.equal(stage.takeovers, 0);
  await stage.looks(0, 2);
  assert.equal(stage.takeovers, 1);
});

test('a candidate that stood still itself does not take that for the silence of the holder', async () => {
  const stage = new Stage('1/old');
  stage.candidate(0).onLease(stage.lease);
  await stage.looks(0, 2);
  await stage.look(0, 20_000);
  await stage.look(0, 20_000);
  assert.equal(stage.takeovers, 0);
  await stage.looks(0, 15);
  assert.equal(stage.takeovers, 1, 'but it is not deaf for ever');
});

test('controllers that take the Lease from each other are ever more patient', async () => {
  const stage = new Stage('1/old');
  const lease = stage.candidate(0);
  lease.onLease(stage.lease);
  const waits: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = stage.takeovers;
    let looks = 0;
    while (stage.takeovers === before && looks < 500) {
      looks++;
      await stage.look(0, TICK_MS);
    }
    waits.push(looks * TICK_MS);
    lease.onLease(stage.lease);
    // The other one takes it back at once: both are late, neither is dead.
    const leaseTransitions = (stage.lease.spec?.leaseTransitions ?? 0) + 1;
    const spec = { holderIdentity: '1/old', leaseTransitions };
    stage.lease = {
      metadata: { name: 'c-controller', resourceVersion: `other-${round}` },
      spec,
    } as Lease;
    lease.onLease(stage.lease);
  }
  assert.ok(
    waits.every((wait, i) => wait >= (waits[i - 1] ?? 0)),
    waits.join(),
  );
  assert.ok((waits[0] as number) <= 3_400, 'once is no storm');
  assert.ok((waits.at(-1) as number) > 20_000, waits.join());
});
