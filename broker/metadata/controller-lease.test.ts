import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../kube/objects.ts';
import type { KubeApi } from '../../kube/port.ts';
import { systemChance } from '../../stdx/chance.ts';
import type { Clock } from '../../stdx/clock.ts';
import { createLogger } from '../../stdx/logger.ts';
import { ControllerLease } from './controller-lease.ts';

/** A fresh Lease that somebody holds; resolves with whether broker 0 took it at once. */
async function takesFrom(holderIdentity: string): Promise<boolean> {
  const held = {
    metadata: { name: 'c-controller', resourceVersion: '7' },
    spec: { holderIdentity, leaseTransitions: 3 },
  } as Lease;
  const elected: number[] = [];
  const api = {
    get: async () => held,
    replace: async (_: unknown, lease: Lease) => lease,
  } as unknown as KubeApi;
  // Time stands still: whatever is put off by more than a moment does not happen.
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after(delayMs, run) {
      if (delayMs < 100) setImmediate(run);
      return { [Symbol.dispose]() {} };
    },
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: () => {},
  };
  const lease = new ControllerLease(
    {
      api,
      clock,
      chance: systemChance,
      logger: createLogger({ level: 'error', format: 'text' }),
      owner: () => ({ apiVersion: 'v1', kind: 'X', name: 'c', uid: 'u' }),
      epochSeen: () => 0,
      isAlone: () => false,
      onElected: (epoch) => void elected.push(epoch),
      onDeposed: () => {},
    },
    { namespace: 'n', cluster: 'c', id: 0, incarnation: 'new' },
  );
  lease.onLease(held);
  await new Promise((done) => setTimeout(done, 20));
  return elected.length === 1 && elected[0] === 4;
}

test('the Lease of a former life of the same broker is taken at once', async () => {
  assert.equal(await takesFrom('0/old'), true);
});

test('the Lease of another broker is left until it runs out', async () => {
  assert.equal(await takesFrom('1/old'), false);
});
