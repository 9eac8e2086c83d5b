/** What every seed is tried with, where nobody asks for anything else. */
import { type FaultKind, faultKinds } from './fault-kinds.ts';
import { type Feature, features } from './scene.ts';

/** What brokers may not withstand, or not for long enough yet; each can be asked for by name. */
const notYet: ReadonlySet<FaultKind | Feature> = new Set<FaultKind | Feature>([
  'apiOlder',
  'apiLost',
]);

export const defaultKinds: readonly FaultKind[] = faultKinds.filter((kind) => !notYet.has(kind));
export const defaultFeatures: readonly Feature[] = features.filter((one) => !notYet.has(one));
