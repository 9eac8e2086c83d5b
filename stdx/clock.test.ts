import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { systemClock } from './clock.ts';

/** Two ends of a connection. */
async function connection() {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [net.Socket];
  return {
    near,
    far,
    [Symbol.dispose]() {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}

const standStill = (ms: number) =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

for (const kind of ['after', 'every'] as const) {
  test(`a timer (${kind}) that the process itself held up lets go first what has arrived`, async () => {
    using ends = await connection();
    const came: string[] = [];
    ends.near.on('data', () => came.push('data'));
    ends.far.write('x');
    await new Promise<void>((resolve) => {
      const timer = systemClock[kind](20, () => {
        came.push('timer');
        timer[Symbol.dispose]();
        resolve();
      });
      standStill(400);
    });
    assert.deepEqual(came, ['data', 'timer']);
  });
}

test('a late timer that is disposed meanwhile does not run', async () => {
  using ends = await connection();
  const came: string[] = [];
  const timer = systemClock.after(20, () => came.push('timer'));
  ends.near.on('data', () => timer[Symbol.dispose]());
  ends.far.write('x');
  standStill(400);
  await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(came, []);
});

test('a timer for longer than a timer can be does not run at once, nor again and again', async () => {
  let runs = 0;
  const count = () => void runs++;
  using _once = systemClock.after(2 ** 53, count);
  using _often = systemClock.every(2 ** 53, count);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(runs, 0);
});

test('no timer runs before its time: who then compares what has passed finds that it has', async () => {
  const early: number[] = [];
  await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      // Begun at many places within a millisecond.
      await new Promise((done) => setTimeout(done, i / 3));
      const beganMs = systemClock.monotonicMs();
      await new Promise<void>((done) => systemClock.after(20, done));
      const passedMs = systemClock.monotonicMs() - beganMs;
      if (passedMs < 20) early.push(passedMs);
    }),
  );
  assert.deepEqual(early, []);
});
