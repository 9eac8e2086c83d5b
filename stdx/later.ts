/**
 * An outcome that comes later and is handed on in the very call that settles it. For the hot path, where
 * a promise would cost memory and, worse, a turn: what it wakes runs only when the turn is over.
 */
export class Later<T> {
  private outcome: { readonly value: T } | { readonly cause: unknown } | null = null;
  private run: ((value: T) => void) | null = null;
  private onFailure: ((cause: unknown) => void) | null = null;

  /** The first outcome counts; later ones are dropped. */
  settle(value: T): void {
    if (this.outcome !== null) return;
    this.outcome = { value };
    this.run?.(value);
  }

  fail(cause: unknown): void {
    if (this.outcome !== null) return;
    this.outcome = { cause };
    this.onFailure?.(cause);
  }

  /** One of the two is called exactly once, at once where the outcome is there already. For one caller. */
  whenSettled(run: (value: T) => void, onFailure: (cause: unknown) => void): void {
    this.run = run;
    this.onFailure = onFailure;
    if (this.outcome === null) return;
    if ('value' in this.outcome) run(this.outcome.value);
    else onFailure(this.outcome.cause);
  }

  /** What `change` makes of the value; where it throws, that is the outcome. */
  map<U>(change: (value: T) => U): Later<U> {
    const changed = new Later<U>();
    this.whenSettled(
      (value) => {
        let next: U;
        try {
          next = change(value);
        } catch (cause) {
          return changed.fail(cause);
        }
        changed.settle(next);
      },
      (cause) => changed.fail(cause),
    );
    return changed;
  }
}
