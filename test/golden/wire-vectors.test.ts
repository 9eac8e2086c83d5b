/** Every schema against bytes that Apache Kafka's own clients wrote: decode, compare, encode, compare. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as consumerProtocol from '../../proto/kafka/messages/consumer-protocol.ts';
import { requestHeader, responseHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import * as consumerGroupRecords from '../../proto/kafka/records/consumer-group.ts';
import * as groupRecords from '../../proto/kafka/records/group.ts';
import * as shareGroupRecords from '../../proto/kafka/records/share-group.ts';
import * as streamsGroupRecords from '../../proto/kafka/records/streams-group.ts';
import * as transactionRecords from '../../proto/kafka/records/transaction.ts';
import type { Message } from '../../proto/kafka/schema.ts';

const folder = new URL('../../../shared/kafka-protocol/vectors/', import.meta.url);
const skip = existsSync(folder) ? false : 'the golden wire vectors are not beside this checkout';

interface Vector {
  api: string;
  key: number;
  type: string;
  version: number;
  case: string;
  json: unknown;
  hex: string;
}

const byName = new Map<string, Message<any>>();
for (const { request, response } of Object.values(apis)) {
  byName.set(request.name, request);
  byName.set(response.name, response);
}
for (const schema of [
  groupRecords,
  consumerGroupRecords,
  shareGroupRecords,
  streamsGroupRecords,
  transactionRecords,
  consumerProtocol,
].flatMap((schemas) => Object.values(schemas))) {
  byName.set(schema.name, schema as Message<any>);
}
byName.set('RequestHeader', requestHeader);
byName.set('ResponseHeader', responseHeader);

/** Brings a decoded value into the vectors' form: base64 for bytes, strings for huge integers. */
function plain(value: unknown, like: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (typeof like === 'string' && (typeof value === 'bigint' || typeof value === 'number')) {
    return String(value);
  }
  if (Array.isArray(value)) {
    return value.map((item, i) => plain(item, (like as unknown[] | undefined)?.[i]));
  }
  if (value !== null && typeof value === 'object') {
    const shape = (like ?? {}) as Record<string, unknown>;
    // Fields of other versions and tagged fields at their default are not in the vectors.
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => name in shape)
        .map(([name, of]) => [name, plain(of, shape[name])]),
    );
  }
  return value;
}

function vectorsOf(file: string): Vector[] {
  return readFileSync(new URL(file, folder), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function check(vector: Vector, schema: Message<any>, bytes: Buffer): void {
  const label = `${schema.name} v${vector.version} ${vector.case}`;
  const decoded = schema.decode(bytes, vector.version, true);
  assert.deepEqual(plain(decoded, vector.json), vector.json, label);
  assert.equal(
    schema.encode(decoded, vector.version).toString('hex'),
    bytes.toString('hex'),
    label,
  );
}

if (skip) {
  test('wire vectors', { skip }, () => {});
} else {
  for (const file of readdirSync(folder)) {
    if (!/^(\d\d-|int64|headers)/.test(file)) continue;
    test(`schemas read and write the golden bytes of ${file}`, () => {
      for (const vector of vectorsOf(file)) {
        const suffix = { request: 'Request', response: 'Response' }[vector.type] ?? '';
        const schema = byName.get(vector.api + suffix);
        if (schema === undefined && file.startsWith('int64')) continue;
        assert.ok(schema, `there must be a schema for ${vector.api}${suffix}`);
        check(vector, schema, Buffer.from(vector.hex, 'hex'));
      }
    });
  }
  for (const file of [
    'consumer-protocol.jsonl',
    'records-group.jsonl',
    'records-transaction.jsonl',
  ]) {
    test(`record schemas read and write the golden bytes of ${file}`, () => {
      let checked = 0;
      for (const vector of vectorsOf(file)) {
        const named = vector as unknown as { name?: string };
        const schema = byName.get(vector.api ?? named.name ?? '');
        if (schema === undefined) continue;
        // The bytes start with the record type or version as an int16.
        check(
          { ...vector, version: vector.version ?? 0 },
          schema,
          Buffer.from(vector.hex, 'hex').subarray(2),
        );
        checked++;
      }
      assert.ok(checked > 7, `${checked} vectors were checked`);
    });
  }
}
