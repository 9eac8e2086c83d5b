import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicConfigFault } from './faults.ts';

test('the size of segments that only tests ask for is a number, and not so small that each batch is a file', () => {
  const fault = (value: string) => topicConfigFault('internal.segment.bytes', value);
  assert.equal(fault('1024'), null);
  for (const value of ['1', '', 'many', 'NaN']) assert.notEqual(fault(value), null, value);
});
