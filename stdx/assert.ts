/** A bug of our own: the process stops rather than go on with a state that cannot be. */
export class AssertionFailed extends Error {}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}
