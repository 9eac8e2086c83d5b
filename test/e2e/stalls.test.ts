/** What a good client waits for beside those that ask a broker for as much as they can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownAttacks } from '../bench/stalls.ts';
import { startBrokerRig } from '../support/broker-rig.ts';
import { measureStall } from '../support/stalls.ts';

/** Without slices it is seconds; on a machine that has nothing else to do it is less than 20 ms. */
const WORST_MS_MAX = 250;
const FOR_MS = 2_500;

test('a good client does not wait long beside requests that ask for as much as they can', {
  timeout: 240_000,
}, async (t) => {
  await using rig = await startBrokerRig();
  for (const attack of shownAttacks()) {
    const { answers, failed, produceP999Ms, worstMs } = await measureStall(
      rig.port,
      attack,
      FOR_MS,
    );
    const figures = `${worstMs.toFixed(1)} ms at most at a time, produce p99.9 ${produceP999Ms.toFixed(1)} ms, ${answers} answers`;
    t.diagnostic(`${attack.name}: ${figures}`);
    assert.ok(worstMs < WORST_MS_MAX, `${attack.name}: ${figures}`);
    assert.equal(failed, 0, attack.name);
  }
  assert.deepEqual([rig.bugs, rig.errors], [[], []]);
});
