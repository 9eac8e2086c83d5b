import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressLimit, limitFor, quotaFault, withQuota } from './quotas-core.ts';

const KEY = 'producer_byte_rate';
const quota = (entity: object, value: number) => ({ ...entity, config: { [KEY]: String(value) } });

test('the most special quota holds, in the order of Kafka', () => {
  const all = [
    quota({ user: 'u', clientId: 'c' }, 1),
    quota({ user: 'u', clientId: '<default>' }, 2),
    quota({ user: 'u' }, 3),
    quota({ user: '<default>', clientId: 'c' }, 4),
    quota({ user: '<default>', clientId: '<default>' }, 5),
    quota({ user: '<default>' }, 6),
    quota({ clientId: 'c' }, 7),
    quota({ clientId: '<default>' }, 8),
  ];
  for (let left = 0; left <= all.length; left++) {
    const expected = left === all.length ? Infinity : left + 1;
    assert.equal(limitFor(all.slice(left), { user: 'u', clientId: 'c' }, KEY), expected);
  }
  assert.equal(limitFor(all, { user: 'other', clientId: 'x' }, KEY), 5);
  assert.equal(limitFor(all, { user: 'u', clientId: 'c' }, 'consumer_byte_rate'), Infinity);
});

test('changes touch one entity, and one without limits is gone', () => {
  const two = withQuota([quota({ user: 'a' }, 1)], { clientId: 'c' }, new Map([[KEY, 5]]));
  assert.equal(two.length, 2);
  assert.equal(limitFor(two, { user: '', clientId: 'c' }, KEY), 5);
  assert.deepEqual(withQuota(two, { clientId: 'c' }, new Map([[KEY, null]])), [
    quota({ user: 'a' }, 1),
  ]);
});

test('a quota that makes no sense is refused with a sentence', () => {
  assert.equal(quotaFault({ user: 'u' }, KEY, 1), null);
  assert.match(quotaFault({}, KEY, 1) ?? '', /must name/);
  assert.match(quotaFault({ ip: '1.2.3.4', user: 'u' }, KEY, 1) ?? '', /nothing else/);
  assert.match(quotaFault({ ip: '1.2.3.4' }, KEY, 1) ?? '', /connection_creation_rate/);
  assert.match(quotaFault({ user: 'u' }, KEY, 0) ?? '', /more than 0/);
});

test('an address has a limit of its own, or that of all others', () => {
  const KEY_IP = 'connection_creation_rate';
  const all = [
    { ip: '<default>', config: { [KEY_IP]: '7' } },
    { ip: '10.0.0.1', config: { [KEY_IP]: '2' } },
  ];
  assert.equal(addressLimit(all, '10.0.0.1'), 2);
  assert.equal(addressLimit(all, '10.0.0.2'), 7);
  assert.equal(addressLimit([], '10.0.0.2'), Infinity);
});
