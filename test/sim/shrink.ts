/** From a world that went wrong to the shortest one that still does: faults are left out one by one. */
import { type RunOptions, runSeed, type Verdict } from './run.ts';

const STORY =
  / (?:FAULT|PAGE|MOVE|TRIM|CREATED|DELETED|PEACE|ALL STOP|THE NEXT)|ends itself|is rolled|is restarted|elected controller|replica cut|begins anew|copied|damaged|set aside|taken over|log compacted/;
const STORY_LINES = 60;

export interface Shrunk {
  readonly skip: readonly number[];
  readonly anomalies: readonly string[];
  /** How many faults are left. */
  readonly faults: number;
  /** What happened then, as far as it matters to records. */
  readonly story: readonly string[];
}

export async function shrink(options: RunOptions, failed: Verdict): Promise<Shrunk> {
  const skip = new Set(options.skip);
  let best = failed;
  const tryWithout = async (numbers: readonly number[]): Promise<boolean> => {
    const verdict = await runSeed({ ...options, skip: new Set([...skip, ...numbers]) });
    if (verdict.anomalies.length === 0) return false;
    for (const number of numbers) skip.add(number);
    best = verdict;
    return true;
  };
  // Whole halves first, then ever smaller parts, the last faults first: those seldom matter.
  for (let size = Math.ceil(failed.struck.length / 2); size >= 1; size = Math.floor(size / 2)) {
    const left = [...best.struck].reverse();
    for (let i = 0; i < left.length; i += size) await tryWithout(left.slice(i, i + size));
  }
  const story = best.log.filter((line) => STORY.test(line));
  return {
    skip: [...skip].sort((a, b) => a - b),
    anomalies: best.anomalies,
    faults: best.struck.length,
    story: story.slice(-STORY_LINES),
  };
}
