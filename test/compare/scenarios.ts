/** What both systems are asked, in order; a step may remember something for later ones. */
import { askAdministration } from './scenarios/administration.ts';
import { askGroups } from './scenarios/groups.ts';
import { askOddBatches } from './scenarios/odd-batches.ts';
import { askRecords } from './scenarios/records.ts';
import { type Step, steps } from './scenarios/steps.ts';
import { askStreams } from './scenarios/streams.ts';
import { askTopics } from './scenarios/topics.ts';
import { askTransactions } from './scenarios/transactions.ts';

export type { Context } from './scenarios/steps.ts';

export function scenarios(): readonly Step[] {
  if (steps.length > 0) return steps;
  askTopics();
  askRecords();
  askOddBatches();
  askGroups();
  askStreams();
  askTransactions();
  askAdministration();
  return steps;
}
