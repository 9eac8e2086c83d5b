/**
 * Our own bugs have one fate: the process ends at once, and another replica serves. What clients send
 * wrongly, what disks, networks and the Kubernetes API refuse, are errors with types of their own; whatever
 * catches all of them asks here first, so that a bug is not taken for one of those.
 */
import { AssertionError } from 'node:assert';
import { AssertionFailed } from './assert.ts';

/** Ends the process. `doing`: what was going on, as in "answering a client". */
export type Fate = (doing: string, cause: unknown) => void;

/** Where nobody has said anything else, nothing can catch it. */
const uncaught: Fate = (_doing, cause) => {
  queueMicrotask(() => {
    throw cause;
  });
};

let fate: Fate = uncaught;

/** Only code that is wrong throws these; whatever else is thrown says something of the world. */
export function isBug(cause: unknown): boolean {
  return (
    cause instanceof AssertionFailed ||
    cause instanceof TypeError ||
    cause instanceof RangeError ||
    cause instanceof ReferenceError ||
    cause instanceof AssertionError
  );
}

/** The one way in which a bug ends. */
export function fatal(doing: string, cause: unknown): void {
  fate(doing, cause);
}

/** To be asked first by whoever catches everything. */
export function expectNoBug(doing: string, cause: unknown): void {
  if (isBug(cause)) fatal(doing, cause);
}

/** What ends this process from now on; returns how to go back. For main programs, and for simulations. */
export function setFate(next: Fate): Disposable {
  const before = fate;
  fate = next;
  return {
    [Symbol.dispose]() {
      fate = before;
    },
  };
}
