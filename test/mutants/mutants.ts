/** One-line bugs in what keeps records safe, and what finds each (`npm run mutants`). */
import { leadership } from './leadership.ts';
import { logs } from './logs.ts';
import type { Mutant } from './mutant.ts';
import { volumes } from './volumes.ts';

export const mutants: readonly Mutant[] = [...leadership, ...logs, ...volumes];
