import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { makeAuthority, signServer } from '../../operator/cluster/authority.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Turn } from '../../stdx/turn.ts';
import { until } from '../../test/support/wait.ts';
import { MemoryBudget } from '../memory/memory-budget-core.ts';
import { TURN_PHASES } from '../partition/partition.ts';
import { ConnectionGate } from './connection-gate.ts';
import { Listener } from './listener.ts';

let tlsFolder = '';
before(async () => {
  tlsFolder = mkdtempSync(join(tmpdir(), 'tenure-listener-'));
  const now = new Date().toISOString();
  const later = new Date(Date.now() + 86_400_000);
  const authority = await makeAuthority('test', now, later);
  const pair = await signServer(authority, {
    names: ['localhost'],
    forClients: false,
    now,
    until: later,
  });
  writeFileSync(join(tlsFolder, 'tls.crt'), pair.certificate);
  writeFileSync(join(tlsFolder, 'tls.key'), pair.key);
});
after(() => rmSync(tlsFolder, { recursive: true }));

/** A listener that answers every frame with four bytes. */
async function stage(max: number, folder: string | null) {
  const gate = new ConnectionGate(systemClock, () => ({
    max,
    maxPerIp: Infinity,
    maxOf: new Map(),
    creationRate: Infinity,
    creationRateOf: () => Infinity,
  }));
  const listener = new Listener(
    {
      clock: systemClock,
      gate,
      budget: new MemoryBudget({ totalBytes: 1e6, largeBytesMax: 1e6 }, (run) =>
        systemClock.endOfTurn(run),
      ),
      kindOf: () => 'alone',
      turn: new Turn(systemClock, TURN_PHASES, (cause) => assert.fail(`${cause}`)),
      frameBytesMax: 1000,
      onRequest: (_connection, _frame, _owned, done) => done([Buffer.from('done')], null),
    },
    { name: 'plain', host: '127.0.0.1', port: 0, idleMs: 60_000, tlsFolder: folder },
  );
  const port = await listener.listen();
  return {
    gate,
    listener,
    port,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      gate[Symbol.dispose]();
    },
  };
}

const holds = (check: () => boolean) => until(`${check}`, 20_000, check);
const FRAME = Buffer.from([0, 0, 0, 1, 7]);
/** Sends a request at once, and notes whether it was answered. */
function client(socket: net.Socket) {
  const of = { socket, answered: false };
  socket.on('data', () => (of.answered = true));
  socket.on('error', () => {});
  socket.write(FRAME);
  return of;
}

test('one connection too many waits unread until another one ends, and is served then', async () => {
  await using one = await stage(1, null);
  const first = client(net.connect(one.port, '127.0.0.1'));
  await holds(() => first.answered);
  const second = client(net.connect(one.port, '127.0.0.1'));
  await holds(() => one.gate.waiting === 1);
  assert.equal(second.answered, false);
  first.socket.destroy();
  await holds(() => second.answered);
  second.socket.destroy();
  await holds(() => one.gate.count === 0);
});

test('a handshake that nobody goes on with counts as a connection', async () => {
  await using one = await stage(1, tlsFolder);
  const halfOpen = net.connect(one.port, '127.0.0.1');
  await holds(() => one.gate.count === 1);
  assert.equal(one.listener.connections.size, 0);
  const good = client(
    tls.connect({ port: one.port, host: '127.0.0.1', rejectUnauthorized: false }),
  );
  await holds(() => one.gate.waiting === 1);
  assert.equal(good.answered, false);
  halfOpen.destroy();
  await holds(() => good.answered);
  assert.equal(one.gate.count, 1);
  good.socket.destroy();
  await holds(() => one.gate.count === 0);
});

test('what is in the middle of a handshake ends with the listener', async () => {
  const one = await stage(5, tlsFolder);
  const halfOpen = net.connect(one.port, '127.0.0.1');
  halfOpen.on('error', () => {});
  await holds(() => one.gate.count === 1);
  await one[Symbol.asyncDispose]();
  await holds(() => halfOpen.closed || halfOpen.readableEnded || halfOpen.destroyed);
});
