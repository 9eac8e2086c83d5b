/** The rules hold within small bounds, and each of them is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './explore.ts';
import { SOUND } from './model.ts';
import { mutants, rulesOf } from './mutants.ts';

test('everything holds within the smallest bounds', (t) => {
  const bounds = {
    records: 1,
    leaderEpochs: 2,
    fences: 0,
    kills: 1,
    losses: 0,
    proposals: 0,
    suspensions: 0,
    drains: 1,
  };
  const { depth, isComplete, states, violation } = explore(bounds, SOUND, { statesMax: 1e6 });
  assert.equal(violation, null);
  assert.ok(isComplete);
  t.diagnostic(`${states} states, ${depth} steps deep`);
});

for (const mutant of mutants) {
  test(`without the rule it breaks: ${mutant.name} (${mutant.breaks})`, (t) => {
    using _planted = mutant.plant?.();
    const { states, violation } = explore(mutant.bounds, rulesOf(mutant), {
      statesMax: mutant.states,
    });
    assert.ok(violation !== null, `nothing was found in ${states} states`);
    t.diagnostic(`${violation.invariant} after ${states} states: ${violation.history.join('; ')}`);
  });
}
