/** Requests of every API in every version, each wrong in one place: the broker answers or hangs up, and lives on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { apis } from '../../proto/kafka/messages/index.ts';
import { exchange, startBrokerRig } from '../support/broker-rig.ts';
import { hostileFrames, plainFrame } from '../support/hostile-frames.ts';
import { until } from '../support/wait.ts';

const AT_ONCE = 32;
const PATIENCE_MS = 3_000;
/** What a broker may hold more than before: what clients made there, and room for a collection. */
const HEAP_BYTES_MAX = 64 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('every field of every request in every version may be hostile', {
  timeout: 600_000,
}, async (t) => {
  await using rig = await startBrokerRig({ 'group.initial.rebalance.delay.ms': 0 });
  const all = function* () {
    for (const api of Object.values(apis)) {
      const [min, max] = api.request.versions;
      for (let version = min; version <= max; version++) yield* hostileFrames(api, version);
    }
  };
  const heapBefore = heapBytes();
  const frames = all();
  const counts = { sent: 0, answered: 0, closed: 0 };
  const work = async () => {
    for (const { what, frame } of frames) {
      const { answered, closed } = await exchange(rig.port, [frame], PATIENCE_MS);
      counts.sent++;
      counts.answered += answered;
      if (closed) counts.closed++;
      assert.deepEqual(rig.bugs, [], what);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.closed > counts.sent / 5, 'most of what cannot be read ends its connection');
  assert.ok(counts.answered > counts.sent / 10, 'what can be read is answered');
  assert.deepEqual(rig.errors, []);
  await until('all connections are gone', 5_000, () => rig.connections.size === 0);
  const { answered } = await exchange(rig.port, [plainFrame(apis.ApiVersions, 0)], 2_000);
  assert.equal(answered, 1, 'it still serves');
  const more = heapBytes() - heapBefore;
  t.diagnostic(`${Math.round(more / 1024 / 1024)} MiB more than before`);
  assert.ok(more < HEAP_BYTES_MAX, `${more} bytes more than before`);
});
