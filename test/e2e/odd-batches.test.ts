/** What a hostile producer can put into a batch, over a real socket: refused, and nobody else is hurt by it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { BrokerConnection } from '../../client/connection.ts';
import { compress, loadCodecs } from '../../proto/kafka/compression.ts';
import { codeOf } from '../../proto/kafka/errors.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import {
  BATCH_HEADER_BYTES,
  batchesOf,
  buildBatch,
  crcOf,
  type NewRecord,
} from '../../proto/kafka/record-batch.ts';
import { type BrokerRig, startBrokerRig } from '../support/broker-rig.ts';
import { until } from '../support/wait.ts';

let rig: BrokerRig;
before(async () => {
  await loadCodecs();
  rig = await startBrokerRig({ 'log.cleaner.backoff.ms': 100 });
});
after(async () => {
  await rig[Symbol.asyncDispose]();
  assert.deepEqual([...rig.bugs, ...rig.errors], []);
});

const CODECS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;

async function withConnection<T>(run: (connection: BrokerConnection) => Promise<T>): Promise<T> {
  using connection = await BrokerConnection.open('127.0.0.1', rig.port);
  return await run(connection);
}

async function createTopic(name: string, configs: Record<string, string> = {}): Promise<void> {
  await withConnection(async (connection) => {
    const topic = {
      name,
      numPartitions: 1,
      replicationFactor: 1,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    };
    await connection.send(apis.CreateTopics, 7, { topics: [topic], timeoutMs: 10_000 });
  });
  await until(
    'the topic is led',
    20_000,
    async () => (await produce(name, plain(1))).errorCode === 0,
  );
}

function sendTo(connection: BrokerConnection, name: string, records: Buffer) {
  return connection
    .send(apis.Produce, 9, {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name, partitionData: [{ index: 0, records }] }],
    })
    .then(({ responses }) => {
      const answer = responses[0]?.partitionResponses[0];
      assert.ok(answer !== undefined);
      return answer;
    });
}

const produce = (name: string, records: Buffer) =>
  withConnection((connection) => sendTo(connection, name, records));

const some = (count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`k${i}`),
    value: Buffer.from(`value ${i}`),
  }));
const plain = (count: number, timestampMs = Date.now()) => buildBatch(some(count), { timestampMs });

function withBody(of: Buffer, body: Buffer, codec: number): Buffer {
  const b = Buffer.concat([of.subarray(0, BATCH_HEADER_BYTES), body]);
  b.writeInt32BE(b.length - 12, 8);
  b.writeInt16BE(codec, 21);
  b.writeUInt32BE(crcOf(b), 17);
  return b;
}
const packed = (of: Buffer, codec: keyof typeof CODECS) =>
  withBody(of, compress(codec, of.subarray(BATCH_HEADER_BYTES), 3), CODECS[codec]);
function counted(of: Buffer, count: number): Buffer {
  const b = Buffer.from(of);
  b.writeInt32BE(count - 1, 23);
  b.writeInt32BE(count, 57);
  b.writeUInt32BE(crcOf(b), 17);
  return b;
}

async function fetchAll(name: string): Promise<number> {
  return withConnection(async (connection) => {
    const answer = await connection.send(apis.Fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 50_000_000,
      topics: [
        {
          topic: name,
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000 }],
        },
      ],
    });
    const bytes = answer.responses[0]?.partitions[0]?.records as Buffer;
    return [...batchesOf(bytes)].length;
  });
}

/** How long the broker keeps a client waiting that asks for next to nothing, at worst. */
async function worstWaitMs<T>(during: Promise<T>): Promise<{ ms: number; value: T }> {
  let over = false;
  const ended = during.finally(() => {
    over = true;
  });
  let ms = 0;
  using connection = await BrokerConnection.open('127.0.0.1', rig.port);
  while (!over) {
    const startedMs = performance.now();
    await connection.send(apis.ApiVersions, 0, {});
    ms = Math.max(ms, performance.now() - startedMs);
  }
  return { ms, value: await ended };
}

test('garbage is refused in every codec, and consumers read on', async () => {
  await createTopic('garbage');
  const garbage = Buffer.from(Array.from({ length: 30 }, (_, i) => (i * 37) & 255));
  for (const codec of [0, 1, 2, 3, 4]) {
    const { errorCode } = await produce('garbage', withBody(plain(3), garbage, codec));
    assert.equal(errorCode, codeOf('INVALID_RECORD'), `codec ${codec}`);
  }
  const { errorCode } = await produce('garbage', withBody(plain(3), garbage, 5));
  assert.equal(errorCode, codeOf('UNSUPPORTED_COMPRESSION_TYPE'));
  assert.equal((await produce('garbage', plain(2))).errorCode, 0);
  assert.equal(await fetchAll('garbage'), 2);
});

test('a batch that says it has 2^31 records takes no offsets, in any codec', async () => {
  await createTopic('lies');
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const { errorCode } = await produce('lies', counted(packed(plain(1), codec), 0x7fff_ffff));
    assert.equal(errorCode, codeOf('INVALID_RECORD'), codec);
  }
  assert.equal((await produce('lies', plain(1))).baseOffset, 1);
});

test('every codec is taken, small and large, and what it says of time is judged', async () => {
  await createTopic('codecs');
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const)
    for (const count of [1, 5000]) {
      const taken = await produce('codecs', packed(plain(count), codec));
      assert.equal(taken.errorCode, 0, `${codec}, ${count}: ${taken.errorMessage}`);
      const late = await produce('codecs', packed(plain(count, Date.now() + 1e10), codec));
      assert.equal(late.errorCode, codeOf('INVALID_TIMESTAMP'));
      assert.equal(late.recordErrors.length, Math.min(count, 100));
    }
});

test('records without a key are told by their number, also where they are packed', async () => {
  await createTopic('keys', { 'cleanup.policy': 'compact' });
  const b = buildBatch([...some(2), { key: null, value: null }, ...some(1)], {
    timestampMs: Date.now(),
  });
  for (const codec of ['none', 'zstd'] as const) {
    const answer = await produce('keys', packed(b, codec));
    assert.equal(answer.errorCode, codeOf('INVALID_RECORD'));
    assert.deepEqual(
      answer.recordErrors.map(({ batchIndex }) => batchIndex),
      [2],
    );
  }
});

test('a snappy block that claims 1.5 GB is refused at once', async () => {
  await createTopic('claims', { 'cleanup.policy': 'compact' });
  const body = Buffer.from([0x80, 0x80, 0x80, 0xd0, 0x05, 0, 0]);
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => produce('claims', withBody(plain(1), body, 2))),
  );
  for (const { errorCode } of answers) assert.equal(errorCode, codeOf('INVALID_RECORD'));
  assert.ok(process.memoryUsage().rss - before < 200e6);
});

/** Records of nothing: seven bytes each, or a few more. */
function empties(count: number): Buffer {
  const body = Buffer.alloc(count * 12);
  let at = 0;
  const varint = (value: number) => {
    let v = value * 2;
    for (; v >= 0x80; v = Math.floor(v / 128)) body[at++] = (v % 128) | 0x80;
    body[at++] = v;
  };
  const size = (value: number) => (value < 64 ? 1 : value < 8192 ? 2 : value < 1_048_576 ? 3 : 4);
  for (let i = 0; i < count; i++) {
    varint(5 + size(i));
    at += 2;
    varint(i);
    at += 1;
    body[at++] = 1;
    at += 1;
  }
  return body.subarray(0, at);
}

test('a bomb is refused by its unpacked size, with nobody kept waiting for it', async () => {
  await createTopic('bomb', { 'cleanup.policy': 'compact' });
  const zeros = Buffer.alloc(300 * 1024 * 1024);
  for (const [codec, body] of [
    [4, zstdCompressSync(zeros)],
    [1, gzipSync(zeros, { level: 9 })],
    [3, compress('lz4', zeros.subarray(0, 150 * 1024 * 1024), 0)],
  ] as const) {
    const b = counted(withBody(plain(1), body, codec), 2_000_000);
    const { ms, value } = await worstWaitMs(produce('bomb', b));
    // Records of no length end it sooner than the bound does.
    assert.equal(value.errorCode, codeOf('INVALID_RECORD'), `codec ${codec}`);
    assert.ok(ms < 4000, `a client waited for ${ms} ms`);
  }
  const head = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x0f]);
  const long = zstdCompressSync(Buffer.concat([head, zeros]));
  const { errorCode } = await produce('bomb', withBody(plain(1), long, 4));
  assert.equal(errorCode, codeOf('MESSAGE_TOO_LARGE'));
});

test('a million empty records in a small batch stop neither the broker nor its compaction', async () => {
  await createTopic('empty', {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.001',
    'delete.retention.ms': '0',
  });
  const count = 1_000_000;
  const b = counted(withBody(plain(1), zstdCompressSync(empties(count)), 4), count);
  const { ms, value } = await worstWaitMs(produce('empty', b));
  assert.equal(value.errorCode, 0, value.errorMessage ?? '');
  assert.ok(ms < 4000, `a client waited for ${ms} ms`);
  // Another segment, so that compaction takes this one.
  const compacted = async () => {
    for (let i = 0; i < 30; i++) {
      await produce('empty', plain(2));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const compaction = await worstWaitMs(compacted());
  assert.ok(compaction.ms < 4000, `a client waited for ${compaction.ms} ms`);
});

test('what a connection sends is appended in its order, whatever must be unpacked for it', async () => {
  await createTopic('order');
  using connection = await BrokerConnection.open('127.0.0.1', rig.port);
  const kinds = ['gzip', 'none', 'lz4', 'zstd', 'none', 'snappy', 'none'] as const;
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      sendTo(connection, 'order', packed(plain(i % 3 === 0 ? 4000 : 1), kinds[i % 7] ?? 'none')),
    ),
  );
  let last = -1;
  for (const { errorCode, baseOffset } of answers) {
    assert.equal(errorCode, 0);
    assert.ok(baseOffset > last, `${baseOffset} comes after ${last}`);
    last = baseOffset;
  }
});

test('a topic with a codec of its own packs what comes otherwise', async () => {
  for (const type of ['lz4', 'zstd', 'snappy', 'gzip', 'uncompressed'] as const) {
    await createTopic(`to-${type}`, { 'compression.type': type });
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)
      for (const count of [1, 3000]) {
        const { errorCode } = await produce(`to-${type}`, packed(plain(count), codec));
        assert.equal(errorCode, 0, `${codec} to ${type}, ${count}`);
      }
    assert.equal(await fetchAll(`to-${type}`), 11);
  }
});
