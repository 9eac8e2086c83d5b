/** What both systems are asked: batches that are wrong in one thing, which no consumer must ever get. */
import { gzipSync } from 'node:zlib';
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  buildBatch,
  crcOf,
  TRANSACTIONAL_BIT,
} from '../../../proto/kafka/record-batch.ts';
import { ask, NOW, produceTo, type ResponseOf, records, soft } from './steps.ts';

const HOUR_MS = 3_600_000;

/** The batch with a change, and a checksum that fits it. */
function changed(bytes: Buffer, change: (b: Buffer) => void): Buffer {
  const b = Buffer.from(bytes);
  change(b);
  b.writeUInt32BE(crcOf(b), 17);
  return b;
}

/** The header of the batch with another body. */
function withBody(bytes: Buffer, body: Buffer, codec = 0): Buffer {
  return changed(Buffer.concat([bytes.subarray(0, BATCH_HEADER_BYTES), body]), (b) => {
    b.writeInt32BE(b.length - BATCH_PREFIX_BYTES, 8);
    b.writeInt16BE(codec, 21);
  });
}
const bodyOf = (bytes: Buffer) => bytes.subarray(BATCH_HEADER_BYTES);
/** Of records(n): the first one is a byte of length, of attributes, of time, of offset. */
const patched = (count: number, at: number, byte: number, more: object = {}) =>
  changed(records(count, more), (b) => void b.writeUInt8(byte, BATCH_HEADER_BYTES + at));
const GARBAGE = Buffer.from(Array.from({ length: 30 }, (_, i) => (i * 37) & 255));
const keyless = (count: number) =>
  buildBatch(
    Array.from({ length: count }, (_, i) => ({
      key: i % 2 === 0 ? Buffer.from('k') : null,
      value: Buffer.from('v'),
    })),
    { timestampMs: NOW },
  );
const timed = (...times: number[]) =>
  buildBatch(
    times.map((timestampMs) => ({ key: Buffer.from('k'), value: Buffer.from('v'), timestampMs })),
    { timestampMs: NOW },
  );

const shown = ({ responses }: ResponseOf<'Produce'>) =>
  responses.map(({ partitionResponses }) =>
    partitionResponses.map(({ errorCode, recordErrors, baseOffset, errorMessage }) => ({
      errorCode,
      isGiven: baseOffset >= 0,
      errorMessage,
      recordErrors,
    })),
  );

const plain: readonly (readonly [string, Buffer])[] = [
  ['a count of more', changed(records(1), (b) => void b.writeInt32BE(5, 57))],
  ['a last offset of more', changed(records(1), (b) => void b.writeInt32BE(5, 23))],
  [
    'a count and a last offset of more',
    changed(records(1), (b) => {
      b.writeInt32BE(0x7fff_fffe, 23);
      b.writeInt32BE(0x7fff_ffff, 57);
    }),
  ],
  [
    'a count and a last offset of fewer',
    changed(records(3), (b) => {
      b.writeInt32BE(1, 23);
      b.writeInt32BE(2, 57);
    }),
  ],
  [
    'no record',
    withBody(
      changed(records(1), (b) => {
        b.writeInt32BE(-1, 23);
        b.writeInt32BE(0, 57);
      }),
      Buffer.alloc(0),
    ),
  ],
  ['a negative last offset', changed(records(1), (b) => void b.writeInt32BE(-7, 23))],
  ['a header alone', withBody(records(1), Buffer.alloc(0))],
  ['garbage', withBody(records(1), GARBAGE)],
  [
    'bytes behind the last record',
    withBody(records(1), Buffer.concat([bodyOf(records(1)), GARBAGE])),
  ],
  ['a cut record', withBody(records(1), bodyOf(records(1)).subarray(0, -1))],
  ['a record of no length', patched(1, 0, 0)],
  ['a record of a negative length', patched(1, 0, 1)],
  ['a record shorter than its fields', patched(2, 0, (7 - 1) * 2)],
  ['a key beyond its record', patched(1, 4, 120)],
  ['a value beyond its record', patched(1, 7, 120)],
  ['more headers than there are', patched(1, 10, 120)],
  ['a negative count of headers', patched(1, 10, 1)],
  ['an attribute of a record', patched(1, 1, 0x7f)],
  [
    'a base offset',
    (() => {
      const b = records(1);
      b.writeUInt8(9, 7);
      return b;
    })(),
  ],
  [
    'magic 1',
    (() => {
      const b = records(1);
      b.writeUInt8(1, 16);
      return b;
    })(),
  ],
  [
    'magic 3',
    (() => {
      const b = records(1);
      b.writeUInt8(3, 16);
      return b;
    })(),
  ],
  ['half a batch', records(3).subarray(0, 70)],
  ['half a header', records(3).subarray(0, 30)],
  ['a batch and a half', Buffer.concat([records(1), records(1).subarray(0, 20)])],
  ['an unknown codec', changed(records(1), (b) => void b.writeInt16BE(6, 21))],
  ['unknown attributes', changed(records(1), (b) => void b.writeInt16BE(0x7f80, 21))],
  ['the bit of a delete horizon', changed(records(1), (b) => void b.writeInt16BE(0x40, 21))],
  ['a largest timestamp that is none', changed(records(1), (b) => void b.writeBigInt64BE(5n, 35))],
  ['from the far past', timed(NOW, 5, NOW)],
  ['from the future, the second record', timed(NOW, NOW + 3 * HOUR_MS, NOW)],
  ['from the future, two records', timed(NOW + 2 * HOUR_MS, NOW, NOW + 3 * HOUR_MS)],
  ['without a time', timed(-1, -1)],
  ['with a negative time', timed(-5)],
  ['a time beyond all', changed(records(1), (b) => void b.writeBigInt64BE(2n ** 62n, 27))],
  ['the broker’s time', records(2, { attributes: 8 })],
  [
    'the broker’s time, and none',
    changed(records(2, { attributes: 8 }), (b) => void b.writeBigInt64BE(-1n, 35)),
  ],
  ['a producer without a sequence', records(1, { producerId: 5, producerEpoch: 0 })],
  ['a producer id of -5', records(1, { producerId: -5, producerEpoch: 3, baseSequence: 4 })],
];

const packed: readonly (readonly [string, Buffer])[] = [
  ['garbage as gzip', withBody(records(1), GARBAGE, 1)],
  ['garbage as snappy', withBody(records(1), GARBAGE, 2)],
  ['garbage as lz4', withBody(records(1), GARBAGE, 3)],
  ['garbage as zstd', withBody(records(1), GARBAGE, 4)],
  ['gzip', withBody(records(3), gzipSync(bodyOf(records(3))), 1)],
  ['gzip of garbage', withBody(records(3), gzipSync(GARBAGE), 1)],
  ['gzip of nothing', withBody(records(3), gzipSync(Buffer.alloc(0)), 1)],
  ['gzip of fewer records', withBody(records(3), gzipSync(bodyOf(records(2))), 1)],
  ['gzip of more records', withBody(records(2), gzipSync(bodyOf(records(3))), 1)],
  ['gzip, cut', withBody(records(3), gzipSync(bodyOf(records(3))).subarray(0, 20), 1)],
  [
    'gzip from the future',
    (() => {
      const b = timed(NOW, NOW + 3 * HOUR_MS);
      return withBody(b, gzipSync(bodyOf(b)), 1);
    })(),
  ],
];

export function askOddBatches(): void {
  const topics = [
    { name: 'odd', configs: [] },
    { name: 'odd-compact', configs: [{ name: 'cleanup.policy', value: 'compact' }] },
    { name: 'odd-append', configs: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] },
  ];
  ask(
    'odd: topics',
    'CreateTopics',
    {
      topics: topics.map((topic) => ({ ...topic, numPartitions: 1, replicationFactor: 1 })),
      timeoutMs: 20_000,
    },
    {
      show: ({ topics: made }) => made.map(({ errorCode }) => errorCode),
      always: true,
    },
  );
  const send = (name: string, topic: string, bytes: Buffer, version = 9) =>
    ask(`odd: ${name}`, 'Produce', produceTo(topic, bytes), {
      versions: [version],
      show: shown,
      retry: ({ responses }) =>
        responses.some(({ partitionResponses }) =>
          partitionResponses.some(({ errorCode }) => soft.has(errorCode)),
        ),
    });
  for (const [name, bytes] of [...plain, ...packed]) {
    send(name, 'odd', bytes);
    if (/time|past|future|attributes/.test(name))
      send(`${name}, where the broker’s counts`, 'odd-append', bytes);
  }
  const gzipKeyless = withBody(keyless(3), gzipSync(bodyOf(keyless(3))), 1);
  send('keys missing', 'odd-compact', keyless(4));
  send('keys missing, gzip', 'odd-compact', gzipKeyless);
  send('no keys needed', 'odd', keyless(4));
  send('zstd of an old client', 'odd', withBody(records(1), GARBAGE, 4), 6);
  send('a transaction of nobody', 'odd', records(1, { attributes: TRANSACTIONAL_BIT }));
  const apart = withBody(records(2), Buffer.concat([bodyOf(records(1)), bodyOf(records(1))]));
  send('offsets that do not go on', 'odd', apart);
  send('offsets that do not go on, gzip', 'odd', withBody(apart, gzipSync(bodyOf(apart)), 1));
}
