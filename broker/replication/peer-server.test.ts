import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerService } from './peer-network.ts';
import { PeerServer, type PeerServerDeps } from './peer-server.ts';

test('no call of another broker is looked at before it is known whether this process stood still', async () => {
  const happened: string[] = [];
  let served: readonly PeerService[] = [];
  // Whatever is called notes that it was, and fails.
  const handlers = new Proxy(
    {},
    {
      get: (_, name) => () => {
        happened.push(String(name));
        throw new Error('no answer');
      },
    },
  );
  const server = new PeerServer({
    control: handlers,
    transactions: handlers,
    shareState: handlers,
    reportReplicas: () => {
      happened.push('reportReplicas');
      throw new Error('no answer');
    },
    network: {
      serve: async (services: readonly PeerService[]) => {
        served = services;
        return { [Symbol.asyncDispose]: async () => {} };
      },
      callerOf: () => 'anybody',
    },
    look: () => happened.push('look'),
  } as unknown as PeerServerDeps);
  await server.listen('h', 1);
  const call = {
    request: { markers: [], wishes: [] },
    on: (event: string) => happened.push(event),
  };
  let count = 0;
  for (const { implementation } of served)
    for (const handle of Object.values(implementation)) {
      happened.length = 0;
      try {
        (handle as (...args: unknown[]) => void)(call, () => {});
      } catch {
        // It was called, that is all.
      }
      assert.equal(happened[0], 'look');
      count++;
    }
  assert.ok(count >= 9, `${count} methods`);
});
