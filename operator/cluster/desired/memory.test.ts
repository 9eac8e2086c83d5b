import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf } from '../../../test/support/operator-world.ts';
import { brokerResources, memoryEnv } from './memory.ts';

const envOf = (spec: object) =>
  Object.fromEntries(memoryEnv(clusterOf(spec), '-x').map(({ name, value }) => [name, value]));

test('a cluster that says nothing of memory gets a request and a limit, and keeps what it says', () => {
  const limits = { memory: '2Gi' };
  const requests = { memory: '256Mi' };
  assert.deepEqual(brokerResources(clusterOf()), { limits, requests });
  assert.deepEqual(brokerResources(clusterOf({ resources: { limits: { cpu: '2' } } })), {
    limits: { ...limits, cpu: '2' },
    requests,
  });
  for (const resources of [{ limits: { memory: '512Mi' } }, { requests: { memory: '4Gi' } }])
    assert.deepEqual(brokerResources(clusterOf({ resources })), resources);
});

test('the broker is told its limit, and a part of it is the heap', () => {
  assert.deepEqual(envOf({}), {
    TENURE_MEMORY_BYTES: String(2 * 1024 ** 3),
    NODE_OPTIONS: '-x --max-old-space-size=512',
  });
  assert.deepEqual(envOf({ resources: { limits: { memory: '256Mi' } } }), {
    TENURE_MEMORY_BYTES: String(256 * 1024 ** 2),
    NODE_OPTIONS: '-x --max-old-space-size=96',
  });
});

test('a limit in the template counts, and one that cannot be read is nobody’s', () => {
  const template = { broker: { resources: { limits: { memory: '4Gi' } } } };
  assert.equal(envOf({ template }).TENURE_MEMORY_BYTES, String(4 * 1024 ** 3));
  for (const resources of [{ limits: { memory: 'much' } }, { requests: { memory: '1Gi' } }])
    assert.deepEqual(envOf({ resources }), { NODE_OPTIONS: '-x' });
});
