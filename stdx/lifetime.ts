/** Ownership made visible: what a part opens it hands to its lifetime, which closes in reverse. */

export class Lifetime implements AsyncDisposable {
  private readonly stack = new AsyncDisposableStack();
  private ended = false;

  own<T extends Disposable | AsyncDisposable>(thing: T): T {
    this.stack.use(thing);
    return thing;
  }

  atEnd(run: () => void | Promise<void>): void {
    this.stack.defer(run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.stack.disposeAsync();
  }
}
