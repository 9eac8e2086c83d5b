import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOverrides } from './connection-overrides.ts';
import { brokerConfigFault } from './faults.ts';

test('max.connections.per.ip.overrides is a list of addresses and numbers', () => {
  const text = '10.0.0.1:5, ::1:7,::ffff:10.0.0.2:0';
  assert.deepEqual(
    [...(parseOverrides(text) ?? [])],
    [
      ['10.0.0.1', 5],
      ['::1', 7],
      ['10.0.0.2', 0],
    ],
  );
  assert.deepEqual([...(parseOverrides('') ?? [])], []);
  const name = 'max.connections.per.ip.overrides';
  assert.equal(brokerConfigFault(name, text), null);
  for (const wrong of ['10.0.0.1', 'host:5', '10.0.0.1:-1', '10.0.0.1:99999999999'])
    assert.match(brokerConfigFault(name, wrong) ?? '', /10\.0\.0\.1:100/, wrong);
});
