/**
 * Clients in a thread of their own, so that what they do is not done by the event loop that they are to
 * try: those that send the same frames again and again, and one that produces and takes the time.
 */
import net from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';

export interface Flood {
  readonly kind: 'flood';
  readonly port: number;
  readonly frame: Uint8Array;
  readonly connections: number;
  /** Sent before an answer is waited for, on each connection. */
  readonly ahead: number;
}
export interface Good {
  readonly kind: 'good';
  readonly port: number;
  readonly everyMs: number;
}
export interface FloodResult {
  readonly answers: number;
  readonly answerBytes: number;
  readonly closed: number;
}
export interface GoodResult {
  readonly latenciesMs: readonly number[];
  readonly failed: number;
}

export interface Clients<Result> {
  /** What came of it until now. */
  look(): Promise<Result>;
  end(): Promise<Result>;
}

/** Until told to end; what they tell then. */
export function startClients(of: Flood): Clients<FloodResult>;
export function startClients(of: Good): Clients<GoodResult>;
export function startClients(of: Flood | Good): Clients<unknown> {
  const worker = new Worker(new URL(import.meta.url), { workerData: of });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => undefined);
  const ask = (what: 'look' | 'end') => {
    const told = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage(what);
    return Promise.race([told, failed]);
  };
  return {
    look: () => ask('look'),
    async end() {
      const result = await ask('end');
      await worker.terminate();
      return result;
    },
  };
}

function sized(frame: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(frame.length);
  return Buffer.concat([size, frame]);
}

/** A connection that counts whole answers, without keeping them. */
function connect(port: number, onAnswer: () => void, onClose: () => void) {
  const socket = net.connect(port, '127.0.0.1');
  let left = 0;
  let head = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('close', onClose);
  socket.on('data', (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (left === 0) {
        const more = bytes.subarray(at, at + 4 - head.length);
        head = Buffer.concat([head, more]);
        at += more.length;
        if (head.length < 4) return;
        left = head.readInt32BE(0);
        head = Buffer.alloc(0);
      }
      const taken = Math.min(left, bytes.length - at);
      left -= taken;
      at += taken;
      if (left === 0) onAnswer();
    }
  });
  return socket;
}

function flood({ ahead, connections, frame, port }: Flood): (isEnd: boolean) => FloodResult {
  const bytes = sized(frame);
  const counts = { answers: 0, answerBytes: 0, closed: 0 };
  const sockets = new Set<net.Socket>();
  let over = false;
  const open = () => {
    const socket = connect(
      port,
      () => {
        counts.answers++;
        if (!over) socket.write(bytes);
      },
      () => {
        counts.answerBytes += socket.bytesRead;
        sockets.delete(socket);
        if (over) return;
        counts.closed++;
        setTimeout(open, 5);
      },
    );
    sockets.add(socket);
    for (let i = 0; i < ahead; i++) socket.write(bytes);
  };
  for (let i = 0; i < connections; i++) open();
  return (isEnd) => {
    if (!isEnd) return counts;
    over = true;
    for (const socket of sockets) {
      counts.answerBytes += socket.bytesRead;
      socket.destroy();
    }
    return counts;
  };
}

function produceFrame(): Buffer {
  const w = new Writer(256);
  const header = { requestApiKey: 0, requestApiVersion: 9, correlationId: 1, clientId: 'good' };
  requestHeader.write(w, 2, header);
  const records = buildBatch([{ key: null, value: Buffer.alloc(100) }], {
    timestampMs: Date.now(),
  });
  const topicData = [{ name: 'ready', partitionData: [{ index: 0, records }] }];
  apis.Produce.request.write(w, 9, { acks: -1, timeoutMs: 5_000, topicData });
  return sized(w.toBuffer());
}

function produce({ everyMs, port }: Good): (isEnd: boolean) => GoodResult {
  const bytes = produceFrame();
  const latenciesMs: number[] = [];
  const sent: number[] = [];
  let failed = 0;
  const socket = connect(
    port,
    () => latenciesMs.push(performance.now() - (sent.shift() as number)),
    () => failed++,
  );
  const timer = setInterval(() => {
    sent.push(performance.now());
    socket.write(bytes);
  }, everyMs);
  return (isEnd) => {
    if (isEnd) clearInterval(timer);
    return { latenciesMs, failed };
  };
}

if (!isMainThread && (workerData as Flood | Good | null)?.kind !== undefined) {
  const of = workerData as Flood | Good;
  const tell = of.kind === 'flood' ? flood(of) : produce(of);
  parentPort?.on('message', (what) => parentPort?.postMessage(tell(what === 'end')));
}
