/** JSON patches: what RFC 6902 says, within bounds of what they may cost, of the object's own fields only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { jsonPatch } from './json-patch.ts';

const refused = (status: number) => (cause: unknown) =>
  cause instanceof ApiError && cause.status === status;

test('the operations do what the RFC says', () => {
  const target = { a: { b: [1, 2, 3] }, 'x/y': 1, 'm~n': 2 };
  const patched = jsonPatch(target, [
    { op: 'test', path: '/a/b/0', value: 1 },
    { op: 'add', path: '/a/b/1', value: 9 },
    { op: 'add', path: '/a/b/-', value: { deep: [true] } },
    { op: 'remove', path: '/a/b/0' },
    { op: 'replace', path: '/x~1y', value: null },
    { op: 'move', from: '/m~0n', path: '/moved' },
    { op: 'copy', from: '/a/b', path: '/copied' },
    { op: 'test', path: '/copied/3', value: { deep: [true] } },
  ]);
  assert.deepEqual(patched, {
    a: { b: [9, 2, 3, { deep: [true] }] },
    'x/y': null,
    moved: 2,
    copied: [9, 2, 3, { deep: [true] }],
  });
  assert.deepEqual(target, { a: { b: [1, 2, 3] }, 'x/y': 1, 'm~n': 2 });
});

test('an operation that cannot be done is refused, whatever it looks like', () => {
  const target = { a: [1], o: { p: {} } };
  const operations: unknown[] = [
    null,
    7,
    {},
    { op: 'add', path: '/a/7', value: 1 },
    { op: 'add', path: '/a/x', value: 1 },
    { op: 'add', path: '/a/01', value: 1 },
    { op: 'add', path: '/a/0' },
    { op: 'add', path: 'a', value: 1 },
    { op: 'add', path: 7, value: 1 },
    { op: 'remove', path: '/none' },
    { op: 'remove', path: '/a/length' },
    { op: 'replace', path: '/a/length', value: 0 },
    { op: 'replace', path: '/constructor', value: 0 },
    { op: 'move', from: '/o', path: '/o/p/q' },
    { op: 'copy', from: '/none', path: '/x' },
    { op: 'copy', path: '/x' },
    { op: 'add', path: '/constructor/prototype/evil', value: 1 },
    { op: 'add', path: '/__proto__', value: { evil: 1 } },
    { op: 'add', path: '/__proto__/evil', value: 1 },
    { op: 'add', path: '/o/__proto__/evil', value: 1 },
    { op: 'move', from: '/__proto__/toString', path: '/x' },
  ];
  for (const operation of operations)
    assert.throws(() => jsonPatch(target, [operation]), refused(400), JSON.stringify(operation));
  assert.equal(({} as { evil?: unknown }).evil, undefined);
  assert.equal(typeof Object.prototype.toString, 'function');
  assert.throws(() => jsonPatch(target, { op: 'add' }), refused(400));
});

test('a field that is called as one that every object has is a field like any other', () => {
  const patched = jsonPatch({ data: {} }, [
    { op: 'add', path: '/data/constructor', value: 'c' },
    { op: 'add', path: '/data/toString', value: 't' },
  ]);
  assert.equal(JSON.stringify(patched), '{"data":{"constructor":"c","toString":"t"}}');
});

test('26 copies that double a value each time are refused before they are made', () => {
  const operations = Array.from({ length: 26 }, (_, i) => ({
    op: 'copy',
    from: i === 0 ? '/a' : `/a${i - 1}`,
    path: `/a${i}`,
  })).flatMap((copy, i) => [copy, { ...copy, path: `/a${i}/x${i}` }]);
  const before = process.cpuUsage().user;
  assert.throws(() => jsonPatch({ a: { text: 'x'.repeat(1000) } }, operations), refused(413));
  assert.ok(process.cpuUsage().user - before < 2_000_000);
});

test('work is bounded: operations, lists that shift, values that are compared, depth', () => {
  const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 }));
  assert.throws(() => jsonPatch({ a: 1 }, many), refused(413));
  const list = { a: Array.from({ length: 300_000 }, () => 1) };
  const before = process.cpuUsage().user;
  const shifts = Array.from({ length: 10_000 }, () => ({ op: 'add', path: '/a/0', value: 1 }));
  assert.throws(() => jsonPatch(list, shifts), refused(413));
  const tests = Array.from({ length: 10_000 }, () => ({ op: 'test', path: '/a', value: [1] }));
  assert.throws(() => jsonPatch(list, tests), refused(422));
  assert.ok(process.cpuUsage().user - before < 4_000_000);
  const nested = Array.from({ length: 200 }, (_, i) => ({
    op: 'add',
    path: `${'/d'.repeat(i + 1)}`,
    value: {},
  }));
  assert.throws(() => jsonPatch({}, nested), refused(400));
});

const name = fc.constantFrom('a', 'b', '0', '1', '-', '__proto__', 'constructor', 'prototype', '');
const pointer = fc
  .array(name, { maxLength: 4 })
  .map((names) => names.map((one) => `/${one}`).join(''));
// As it comes out of JSON, which knows no minus zero.
const value = fc
  .json({ maxDepth: 3 })
  .map((text): unknown => JSON.parse(text.replace(/-0(?![.\de])/g, '0')));
const operation = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path: pointer,
    from: pointer,
    value,
  },
  { requiredKeys: ['op', 'path'] },
);

test('no patch reaches anything but the fields of its object', () => {
  const inherited = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
  const lists = JSON.stringify(Object.getOwnPropertyNames(Array.prototype));
  fc.assert(
    fc.property(
      fc.record({ a: value, b: value, constructor: value }),
      fc.array(operation, { maxLength: 30 }),
      (target, operations) => {
        const before = JSON.stringify(target);
        try {
          const patched = jsonPatch(target, operations);
          assert.deepEqual(JSON.parse(JSON.stringify({ patched })), { patched });
        } catch (cause) {
          assert.ok(cause instanceof ApiError, String(cause));
        }
        assert.equal(JSON.stringify(target), before);
        assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), inherited);
        assert.equal(JSON.stringify(Object.getOwnPropertyNames(Array.prototype)), lists);
      },
    ),
    { numRuns: 3_000 },
  );
});
