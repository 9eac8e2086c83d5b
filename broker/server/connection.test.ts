/** Connections over real sockets of this machine, with requests that are answered when the test says so. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { Turn } from '../../stdx/turn.ts';
import { MemoryBudget } from '../memory/memory-budget-core.ts';
import { TURN_PHASES } from '../partition/partition.ts';
import type { Answer, Connection, RequestKind } from './connection.ts';
import { Listener } from './listener.ts';

const MIB = 1024 * 1024;
const KINDS: readonly RequestKind[] = ['alone', 'overlapping', 'urgent'];

interface Asked {
  readonly text: string;
  readonly connection: Connection;
  readonly answer: (bytes: Buffer, whenSent?: () => void) => void;
}

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** The first byte of a request says what kind it is; `asked` are those that were begun, in order. */
async function serve(budget = budgetOf(64 * MIB)) {
  const asked: Asked[] = [];
  const turn = new Turn(systemClock, TURN_PHASES, (cause) => {
    throw cause;
  });
  const listener = new Listener(
    {
      clock: systemClock,
      turn,
      budget,
      gate: { enter: (_socket, letIn) => letIn(() => {}) },
      frameBytesMax: 100 * MIB,
      kindOf: (frame) => KINDS[frame[0] as number] as RequestKind,
      onRequest(connection, frame, _owned, done) {
        const text = frame.toString('latin1', 1, 20);
        const answer = (bytes: Buffer, whenSent?: () => void) =>
          done([bytes] as Answer, whenSent ?? null);
        asked.push({ text, connection, answer });
      },
    },
    {
      name: 'test',
      host: '127.0.0.1',
      port: 0,
      idleMs: 600_000,
      tlsFolder: null,
    },
  );
  open.push(listener);
  const port = await listener.listen();
  const connect = async () => {
    const socket = net.connect(port, '127.0.0.1');
    open.push({ [Symbol.asyncDispose]: async () => void socket.destroy() });
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    return socket;
  };
  return { asked, budget, connect, listener };
}

function budgetOf(totalBytes: number) {
  return new MemoryBudget({ totalBytes, largeBytesMax: totalBytes }, (run) =>
    systemClock.endOfTurn(run),
  );
}

function request(kind: RequestKind, text: string, byteCount = text.length): Buffer {
  const bytes = Buffer.alloc(5 + Math.max(byteCount, text.length));
  bytes.writeInt32BE(bytes.length - 4);
  bytes[4] = KINDS.indexOf(kind);
  bytes.write(text, 5);
  return bytes;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(`not in time: ${what}`);
}
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const texts = (asked: readonly Asked[]) => asked.map(({ text }) => text);

test('one request at a time is worked at, however many were sent', async () => {
  const { asked, connect } = await serve();
  const socket = await connect();
  socket.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => request('alone', `${i}`))));
  for (let i = 0; i < 200; i++) {
    await until(() => asked.length > i, `request ${i}`);
    if (i % 50 === 0) await pause();
    assert.equal(asked.length, i + 1);
    asked[i]?.answer(Buffer.from(`${i} `));
  }
  assert.deepEqual(
    texts(asked),
    Array.from({ length: 200 }, (_, i) => `${i}`),
  );
});

test('requests to produce overlap, others wait for them, and answers keep the order', async () => {
  const { asked, connect } = await serve();
  const socket = await connect();
  let got = '';
  socket.on('data', (bytes: Buffer) => {
    got += bytes.toString('latin1');
  });
  const kinds: RequestKind[] = ['overlapping', 'overlapping', 'alone', 'overlapping'];
  socket.write(Buffer.concat(kinds.map((kind, i) => request(kind, `${i}`))));
  await until(() => asked.length === 2, 'two that overlap');
  await pause();
  assert.deepEqual(texts(asked), ['0', '1']);
  asked[1]?.answer(Buffer.from('1'));
  await pause();
  assert.deepEqual([texts(asked), got], [['0', '1'], '']);
  asked[0]?.answer(Buffer.from('0'));
  await until(() => asked.length === 3, 'the one that wants to be alone');
  await pause();
  assert.equal(asked.length, 3);
  asked[2]?.answer(Buffer.from('2'));
  await until(() => asked.length === 4, 'the last');
  asked[3]?.answer(Buffer.from('3'));
  await until(() => got === '0123', 'all answers');
});

test('nothing is begun for a client that does not read what it has got', async () => {
  const { asked, budget, connect } = await serve();
  const socket = await connect();
  socket.pause();
  socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => request('alone', `${i}`))));
  const answer = Buffer.alloc(4 * MIB);
  let sent = 0;
  for (;;) {
    const before = asked.length;
    asked[before - 1]?.answer(answer, () => sent++);
    await pause();
    if (asked.length === before && before > 0) break;
  }
  assert.ok(asked.length < 8, `${asked.length} answers of 4 MiB were made`);
  assert.ok(budget.answers.usedBytes <= 8 * MIB + 1000);
  socket.resume();
  await until(() => sent >= asked.length - 1 && budget.answers.usedBytes <= 4 * MIB, 'it reads');
});

test('whoever leaves gives all back at once, also what waits to be sent', async () => {
  const { asked, budget, connect, listener } = await serve();
  const sockets = await Promise.all(Array.from({ length: 20 }, connect));
  let dropped = 0;
  for (const socket of sockets) {
    socket.pause();
    socket.write(request('alone', 'ask'));
  }
  await until(() => asked.length === 20, 'requests');
  asked.slice(0, 10).forEach(({ answer }) => answer(Buffer.alloc(MIB), () => dropped++));
  await pause();
  for (const socket of sockets.slice(5))
    socket.write(request('alone', 'x', 3 * MIB).subarray(0, MIB));
  await until(() => budget.usedBytes > 0, 'charged');
  for (const socket of sockets) socket.destroy();
  await until(() => listener.connections.size === 0, 'connections gone');
  assert.equal(budget.usedBytes, 0);
  asked.slice(10).forEach(({ answer }) => answer(Buffer.alloc(MIB), () => dropped++));
  assert.equal(budget.usedBytes, 0, 'nor is anything charged afterwards');
  await until(() => dropped === 20, 'what answers referred to');
});

test('many unfinished frames leave room for small requests and large ones of others', async () => {
  const { asked, budget, connect } = await serve(budgetOf(256 * MIB));
  const hostile = await Promise.all(Array.from({ length: 40 }, connect));
  const piece = request('overlapping', 'never', 60 * MIB).subarray(0, 20 * MIB);
  for (const socket of hostile) socket.write(piece);
  await until(() => budget.waiting >= 30, 'the budget is full');
  assert.ok(budget.usedBytes < 256 * MIB);
  const good = await connect();
  for (let i = 0; i < 20; i++) {
    good.write(request('urgent', `beat ${i}`));
    await until(() => asked.length === 2 * i + 1, 'a heartbeat');
    asked.at(-1)?.answer(Buffer.from('ok'));
    good.write(request('overlapping', `batch ${i}`, 500_000));
    await until(() => asked.length === 2 * i + 2, 'a batch');
    asked.at(-1)?.answer(Buffer.from('ok'));
  }
  assert.ok(!texts(asked).includes('never'));
});

test('a frame of the largest size comes through, one at a time', async () => {
  const { asked, budget, connect } = await serve(budgetOf(64 * MIB));
  const largest = budget.large.bytesMax - 1024;
  const sockets = await Promise.all([1, 2, 3].map(connect));
  for (const socket of sockets) socket.write(request('alone', 'large', largest));
  for (let i = 1; i <= 3; i++) {
    await until(() => asked.length === i, `frame ${i}`);
    assert.ok(budget.usedBytes <= budget.totalBytes);
    asked.at(-1)?.answer(Buffer.from('ok'));
  }
  await until(() => budget.usedBytes === 0, 'all given back');
  const refused = await connect();
  const closed = new Promise((resolve) => refused.once('close', resolve));
  refused.write(request('alone', 'too large', budget.large.bytesMax));
  await closed;
});

test('while there is no memory for answers only urgent requests are begun', async () => {
  const { asked, budget, connect } = await serve();
  budget.answers.overdraw(budget.answers.bytesMax);
  const [one, other] = [await connect(), await connect()];
  // The place for large things lets one pass; it is taken here.
  budget.large.overdraw(1);
  one.write(request('alone', 'metadata'));
  other.write(request('urgent', 'heartbeat'));
  await until(() => asked.length === 1, 'the heartbeat');
  await pause();
  assert.deepEqual(texts(asked), ['heartbeat']);
  budget.answers.release(budget.answers.bytesMax);
  await until(() => asked.length === 2, 'the other one');
  budget.large.release(1);
});
