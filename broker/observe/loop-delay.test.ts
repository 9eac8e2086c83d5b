import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { LoopDelay } from './loop-delay.ts';

test('a loop that stood still shows for how long, one that did not shows next to nothing', async () => {
  using delay = new LoopDelay(systemClock);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const [, calm] = delay.quantiles([0.5, 1]);
  const from = performance.now();
  while (performance.now() - from < 900); // Longer than any start or pause of a busy machine.
  await new Promise((resolve) => setTimeout(resolve, 450));
  const [half, worst] = delay.quantiles([0.5, 1]);
  assert.ok((worst as number) > 450, `${worst}`);
  assert.ok((worst as number) < 1500, `${worst}`);
  assert.ok((half as number) < (worst as number));
  assert.ok((calm as number) < (worst as number));
});
