/** Objects in protobuf: read field by field, and refused by a sentence where they are none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { parseBody } from './body.ts';
import { PROTOBUF_TYPE, parseProtobuf } from './protobuf.ts';

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return [...out, value];
}
const bytes = (field: number, content: Buffer | string) => {
  const held = Buffer.from(content);
  return Buffer.from([...varint(field * 8 + 2), ...varint(held.length), ...held]);
};
const int = (field: number, value: number) => Buffer.from([...varint(field * 8), ...varint(value)]);
const all = (...parts: Buffer[]) => Buffer.concat(parts);
const entry = (field: number, key: string, value: string) =>
  bytes(field, all(bytes(1, key), bytes(2, value)));
const object = (apiVersion: string, kind: string, raw: Buffer) =>
  all(
    Buffer.from('k8s\0'),
    bytes(1, all(bytes(1, apiVersion), bytes(2, kind))),
    bytes(2, raw),
    bytes(3, ''),
    bytes(4, ''),
  );

test('a Secret, with what clients send and nobody set', () => {
  const metadata = all(
    bytes(1, 'keys'),
    bytes(2, ''),
    bytes(3, 'shop'),
    bytes(8, ''),
    entry(11, 'app', 'x'),
    entry(12, 'empty', ''),
  );
  const raw = all(bytes(1, metadata), entry(2, 'a', 'b'), bytes(3, 'Opaque'), int(5, 0));
  assert.deepEqual(parseProtobuf(object('v1', 'Secret', raw)), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'keys', namespace: 'shop', labels: { app: 'x' }, annotations: { empty: '' } },
    data: { a: 'Yg==' },
    type: 'Opaque',
    immutable: false,
  });
});

test('an eviction with options, as kubectl drain sends it', () => {
  const options = all(int(1, 0), bytes(2, bytes(1, 'uid-1')), bytes(5, 'All'));
  const raw = all(bytes(1, bytes(1, 'pod-1')), bytes(2, options));
  assert.deepEqual(parseProtobuf(object('policy/v1', 'Eviction', raw)), {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'pod-1' },
    deleteOptions: { gracePeriodSeconds: 0, preconditions: { uid: 'uid-1' }, dryRun: ['All'] },
  });
});

test('a kind that is not known in this form, and names that no field may have', () => {
  for (const kind of ['Deployment', 'constructor', '__proto__', ''])
    assert.throws(
      () => parseProtobuf(object('v1', kind, Buffer.alloc(0))),
      (cause) => cause instanceof ApiError && cause.status === 415,
    );
  const trap = object('v1', 'ConfigMap', entry(2, '__proto__', 'x'));
  assert.throws(() => parseBody(trap, PROTOBUF_TYPE), /__proto__/);
});

test('any bytes are an object or are refused', () => {
  const valid = object('v1', 'ConfigMap', all(bytes(1, bytes(1, 'c')), entry(2, 'a', 'b')));
  const mutated = fc
    .tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length))
    .map(([at, byte, length]) => {
      const changed = Buffer.from(valid);
      changed[at] = byte;
      return changed.subarray(0, Math.max(length, 4));
    });
  const random = fc
    .uint8Array({ maxLength: 60 })
    .map((raw) => object('v1', 'Secret', Buffer.from(raw)));
  fc.assert(
    fc.property(fc.oneof(mutated, random), (body) => {
      try {
        parseBody(body, PROTOBUF_TYPE);
      } catch (cause) {
        assert.ok(cause instanceof ApiError && cause.status < 500, String(cause));
      }
    }),
    { numRuns: 5_000 },
  );
});
