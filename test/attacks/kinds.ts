/** What a stranger does who has nothing but a TCP connection. Each goes on until it is over. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch, crcOf } from '../../proto/kafka/record-batch.ts';
import { sleepMs } from '../support/wait.ts';
import { frameOf, HostileSocket } from './hostile-socket.ts';

export interface Target {
  /** Who leads the first partition of the topics below. */
  readonly leader: { readonly host: string; readonly port: number };
  /** With some ten megabytes of records in its first partition. */
  readonly fat: string;
  /** Of which records are kept by key. */
  readonly compacted: string;
  readonly plain: string;
  readonly isOver: () => boolean;
}

export type Attack = (target: Target) => Promise<void>;

const MIBIBYTE = 1024 * 1024;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const GZIP = 1;
const SNAPPY = 2;
const ZSTD = 4;

/** Again and again on connections of its own. */
async function again(target: Target, run: (socket: HostileSocket) => Promise<void>): Promise<void> {
  while (!target.isOver()) {
    using socket = await HostileSocket.open(target.leader);
    if (socket === null) await sleepMs(100);
    else await run(socket);
  }
}

/** So many connections at once, held until it is over. */
async function crowd(target: Target, count: number, run: (socket: HostileSocket) => Promise<void>) {
  const one = async () => {
    using socket = await HostileSocket.open(target.leader);
    if (socket === null) return;
    await run(socket);
    while (!target.isOver() && !socket.isClosed) await sleepMs(50);
  };
  await Promise.all(Array.from({ length: count }, one));
  // Who was thrown out comes back.
  if (!target.isOver()) {
    await sleepMs(100);
    await crowd(target, count, run);
  }
}

const fetchOf = ({ fat }: Target, of: { bytesMax: number; offset?: number }) =>
  frameOf(apis.Fetch, 4, {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: of.bytesMax,
    isolationLevel: 0,
    topics: [
      {
        topic: fat,
        partitions: [{ partition: 0, fetchOffset: of.offset ?? 0, partitionMaxBytes: of.bytesMax }],
      },
    ],
  });

/** A name of 32,767 bytes, none of them UTF-8: each becomes three where it is decoded. */
const names: Attack = (target) => {
  const name = Buffer.alloc(32_767, 0xff);
  const head = Buffer.from('00130002000000010002686500000001', 'hex');
  const length = Buffer.from([0x7f, 0xff]);
  // One partition, one replica, no assignments, no settings; a timeout, and whether only to look.
  const rest = Buffer.from('0000000100010000000000000000000003e800', 'hex');
  const body = Buffer.concat([head, length, name, rest]);
  const frame = Buffer.concat([Buffer.alloc(4), body]);
  frame.writeInt32BE(body.length, 0);
  return again(target, async (socket) => {
    socket.reading();
    await socket.write(frame);
    await sleepMs(50);
  });
};

/** 19 kB of requests for all there is; nobody reads the answers. */
const unread: Attack = (target) => {
  const fetch = fetchOf(target, { bytesMax: 50 * MIBIBYTE });
  const requests = Buffer.concat(
    Array.from({ length: Math.ceil(19_000 / fetch.length) }, () => fetch),
  );
  return crowd(target, 1, async (socket) => void (await socket.write(requests)));
};

/** Frames of 98 MiB, of which the last byte never comes. */
const unfinished: Attack = (target) => {
  const byteCount = 98 * MIBIBYTE;
  const head = Buffer.alloc(4);
  head.writeInt32BE(byteCount, 0);
  const piece = Buffer.alloc(MIBIBYTE);
  return crowd(target, 15, async (socket) => {
    await socket.write(head);
    for (let sent = 0; sent < byteCount - piece.length && !target.isOver(); sent += piece.length)
      if (!(await socket.write(piece))) return;
    await socket.write(piece.subarray(1));
  });
};

/** Thirty who ask for everything and read a hundred bytes of it now and then. */
const slow: Attack = (target) => {
  const fetch = fetchOf(target, { bytesMax: 50 * MIBIBYTE });
  return crowd(target, 30, async (socket) => {
    await socket.write(Buffer.concat(Array.from({ length: 20 }, () => fetch)));
    while (!target.isOver() && !socket.isClosed) {
      socket.sip(100);
      await sleepMs(100);
    }
  });
};

/** The same resource 3,000 times in one request. */
const repeats: Attack = (target) => {
  const resource = { resourceType: 2, resourceName: target.plain, configurationKeys: null };
  const frame = frameOf(apis.DescribeConfigs, 1, {
    resources: Array.from({ length: 3_000 }, () => resource),
    includeSynonyms: true,
  });
  return again(target, async (socket) => {
    socket.reading();
    await socket.write(frame);
    for (let i = 0; i < 100 && socket.bytesRead === 0 && !socket.isClosed && !target.isOver(); i++)
      await sleepMs(50);
  });
};

/** 50,000 topics that there are not, never the same, produced to and fetched. */
const unknown: Attack = (target) => {
  const BATCH = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 1 });
  const PER_REQUEST = 500;
  let made = 0;
  return again(target, async (socket) => {
    socket.reading();
    for (let sent = 0; sent < 50_000 && !target.isOver() && !socket.isClosed; sent += PER_REQUEST) {
      const topics = Array.from({ length: PER_REQUEST }, () => `none-${made++}`);
      const produce = frameOf(apis.Produce, 3, {
        transactionalId: null,
        acks: 1,
        timeoutMs: 1_000,
        topicData: topics.map((name) => ({ name, partitionData: [{ index: 0, records: BATCH }] })),
      });
      const fetch = frameOf(apis.Fetch, 4, {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1_000_000,
        isolationLevel: 0,
        topics: topics.map((topic) => ({
          topic,
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000 }],
        })),
      });
      await socket.write(Buffer.concat([produce, fetch]));
      await sleepMs(20);
    }
  });
};

function withCrc(b: Buffer): Buffer {
  b.writeUInt32BE(crcOf(b), CRC_AT);
  return b;
}
function packed(codec: number, body: Buffer): Buffer {
  const head = buildBatch([{ key: Buffer.from('k'), value: Buffer.from('v') }], { timestampMs: 1 });
  const b = Buffer.concat([head.subarray(0, RECORDS_AT), body]);
  b.writeInt32BE(b.length - 12, 8);
  b.writeInt16BE(codec, ATTRIBUTES_AT);
  return withCrc(b);
}
const produceOf = (name: string, records: Buffer) =>
  frameOf(apis.Produce, 7, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1_000,
    topicData: [{ name, partitionData: [{ index: 0, records }] }],
  });

const sent = (target: Target, frames: readonly Buffer[]) =>
  again(target, async (socket) => {
    socket.reading();
    for (const frame of frames) await socket.write(frame);
    await sleepMs(100);
  });

/** Batches whose bodies are no records, in every codec. */
const garbage: Attack = (target) => {
  const body = Buffer.from(Array.from({ length: 69 }, (_, i) => (i * 37) & 255));
  const frames = [0, GZIP, SNAPPY, 3, ZSTD].map((codec) =>
    produceOf(target.plain, packed(codec, body)),
  );
  return sent(target, frames);
};

/** Batches that say that they hold two thousand million records. */
const counts: Attack = (target) => {
  const b = buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 1 });
  b.writeInt32BE(0x7ffffffe, LAST_OFFSET_DELTA_AT);
  b.writeInt32BE(0x7fffffff, COUNT_AT);
  return sent(target, [produceOf(target.plain, withCrc(b))]);
};

/** Small batches that become large ones where somebody looks into them. */
const bombs: Attack = (target) => {
  const zeros = Buffer.alloc(200 * MIBIBYTE);
  const snappy = Buffer.from([0x80, 0x80, 0x80, 0xd0, 0x05, 0, 0]);
  const frames = [
    packed(ZSTD, zstdCompressSync(zeros)),
    packed(GZIP, gzipSync(zeros)),
    packed(SNAPPY, snappy),
  ].map((bytes) => produceOf(target.compacted, bytes));
  return sent(target, frames);
};

/** Each, and whose leader it is for. */
export const attacks = {
  names: { run: names, at: 'plain' },
  unread: { run: unread, at: 'fat' },
  unfinished: { run: unfinished, at: 'plain' },
  slow: { run: slow, at: 'fat' },
  repeats: { run: repeats, at: 'plain' },
  unknown: { run: unknown, at: 'plain' },
  garbage: { run: garbage, at: 'plain' },
  counts: { run: counts, at: 'plain' },
  bombs: { run: bombs, at: 'compacted' },
} satisfies Readonly<Record<string, { run: Attack; at: 'fat' | 'plain' | 'compacted' }>>;
