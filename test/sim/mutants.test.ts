/** The simulator is only worth what it finds: every planted bug, within the seeds it is given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutants } from './mutants.ts';
import { runSeed } from './run.ts';

const MINUTES = 0.1;

test('the same seed is the same world', async () => {
  const [first, second] = [
    await runSeed({ seed: 7, minutes: 0.2 }),
    await runSeed({ seed: 7, minutes: 0.2 }),
  ];
  assert.deepEqual(second.log, first.log);
  assert.deepEqual(second.counts, first.counts);
});

test('no anomaly without a planted bug', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { anomalies } = await runSeed({ seed, minutes: MINUTES });
    assert.deepEqual(
      anomalies,
      [],
      `again: npm run sim -- --seed ${seed} --runs 1 --minutes ${MINUTES}`,
    );
  }
});

for (const { breaks, kinds, name, plant, seeds } of mutants) {
  test(`a planted bug is found: ${name} (${breaks})`, async (t) => {
    using _planted = plant();
    for (let seed = 1; seed <= seeds; seed++) {
      const { anomalies } = await runSeed({ seed, minutes: MINUTES, kinds });
      if (anomalies.length === 0) continue;
      t.diagnostic(`after ${seed} seeds: ${anomalies[0]?.slice(0, 120)}`);
      return;
    }
    assert.fail(`nothing was found in ${seeds} seeds`);
  });
}
