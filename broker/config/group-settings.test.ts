import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationMs, groupConfigFault, groupValue } from './group-settings.ts';

test('a group’s own value counts, then the cluster’s for all groups, then the default', () => {
  const name = 'consumer.session.timeout.ms';
  assert.deepEqual(groupValue(name, {}, {}), { value: '45000', origin: 'default' });
  const cluster = { [`group.${name}`]: '50000' };
  assert.deepEqual(groupValue(name, {}, cluster), { value: '50000', origin: 'cluster' });
  assert.deepEqual(groupValue(name, { [name]: 55_000 }, cluster), {
    value: '55000',
    origin: 'group',
  });
});

test('values stay within what the cluster allows', () => {
  const name = 'streams.session.timeout.ms';
  assert.match(groupConfigFault(name, '6000', {}) ?? '', /at least 45000, as group.streams.min/);
  assert.equal(
    groupConfigFault(name, '6000', { 'group.streams.min.session.timeout.ms': '6000' }),
    null,
  );
  assert.match(groupConfigFault(name, '60001', {}) ?? '', /at most 60000/);
  assert.match(groupConfigFault('streams.num.standby.replicas', '3', {}) ?? '', /at most 2/);
  assert.match(groupConfigFault('share.delivery.count.limit', '11', {}) ?? '', /at most 10/);
  assert.match(groupConfigFault('nope', '1', {}) ?? '', /not a group configuration/);
});

test('a share group may begin some time ago', () => {
  assert.equal(durationMs('by_duration:P1DT2H'), 26 * 3_600_000);
  assert.equal(durationMs('by_duration:PT1.5S'), 1500);
  for (const bad of ['by_duration:', 'by_duration:P', 'by_duration:PT', 'P1D', 'by_duration:1D'])
    assert.equal(durationMs(bad), null, bad);
  assert.equal(groupConfigFault('share.auto.offset.reset', 'by_duration:PT5M', {}), null);
  assert.match(groupConfigFault('share.auto.offset.reset', 'soon', {}) ?? '', /must be latest/);
});
