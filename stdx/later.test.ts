import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Later } from './later.ts';

function watch<T>(later: Later<T>): unknown[] {
  const seen: unknown[] = [];
  later.whenSettled(
    (value) => seen.push(['value', value]),
    (cause) => seen.push(['cause', cause]),
  );
  return seen;
}

test('the outcome is handed on in the call that settles it, once', () => {
  const later = new Later<number>();
  const seen = watch(later);
  assert.deepEqual(seen, []);
  later.settle(1);
  later.settle(2);
  later.fail('late');
  assert.deepEqual(seen, [['value', 1]]);
});

test('an outcome that is there already is handed on at once', () => {
  const settled = new Later<number>();
  settled.settle(1);
  assert.deepEqual(watch(settled), [['value', 1]]);
  const failed = new Later<number>();
  failed.fail('why');
  assert.deepEqual(watch(failed), [['cause', 'why']]);
});

test('a change that throws is the outcome, and the settling call does not see it', () => {
  const cause = new Error('planted');
  const later = new Later<number>();
  const changed = watch(
    later.map(() => {
      throw cause;
    }),
  );
  later.settle(1);
  assert.deepEqual(changed, [['cause', cause]]);
  const doubled = new Later<number>();
  const seen = watch(doubled.map((value) => value * 2));
  doubled.settle(2);
  assert.deepEqual(seen, [['value', 4]]);
});

test('what throws in whoever is told is not taken for the change', () => {
  const later = new Later<number>();
  const told: unknown[] = [];
  later
    .map((value) => value)
    .whenSettled(
      () => {
        throw new Error('planted');
      },
      (cause) => told.push(cause),
    );
  assert.throws(() => later.settle(1), /planted/);
  assert.deepEqual(told, []);
});
