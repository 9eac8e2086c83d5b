/** What a connection brought for a partition is done in the order in which it came, whatever it waits for. */
export class InOrder {
  private readonly last = new Map<object, Map<object, Promise<void>>>();

  /** Whether something that came before is still waited for. */
  isWaiting(connection: object, partition: object): boolean {
    return this.last.size > 0 && this.last.get(connection)?.has(partition) === true;
  }

  /** Runs one of the two once `ready` is there, and everything that came before was run. */
  run<T>(
    of: { readonly connection: object; readonly partition: object },
    ready: Promise<T>,
    then: (value: T) => void,
    failed: (cause: unknown) => void,
  ): void {
    const { connection, partition } = of;
    let waiting = this.last.get(connection);
    if (waiting === undefined) {
      waiting = new Map();
      this.last.set(connection, waiting);
    }
    const all = waiting;
    const before = all.get(partition) ?? Promise.resolve();
    const mine = before
      .then(() => ready)
      .then(then, failed)
      .finally(() => {
        if (all.get(partition) !== mine) return;
        all.delete(partition);
        if (all.size === 0) this.last.delete(connection);
      });
    // It is waited for from now on, and heard in its turn.
    ready.catch(() => {});
    all.set(partition, mine);
  }
}
