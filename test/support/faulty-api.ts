/** The Kubernetes API as an operator may meet it: gone after a write, or telling things late and twice. */
import type { KubeObject, Resource } from '../../kube/objects.ts';
import type { KubeApi, ListOptions, WatchEnd, WatchEvent, WatchHandle } from '../../kube/port.ts';
import type { Random } from '../sim/random.ts';

type Write = 'create' | 'replace' | 'patch' | 'apply' | 'delete';

export interface WatchFaults {
  readonly random: Random;
  /** How late events may come. */
  readonly delayMsMax: number;
  readonly duplicate: number;
  /** Share of events that are lost; the watch then ends, and everything is listed anew. */
  readonly lose: number;
}

export class FaultyApi implements KubeApi {
  private readonly api: KubeApi;
  private readonly faults: WatchFaults | null;
  /** After so many writes the process that makes them is dead: the write happened, nobody knows. */
  private readonly diesAfter: number;
  private dead = false;
  private markDead: () => void = () => {};
  private readonly watches = new Set<Disposable>();
  readonly died: Promise<void>;
  readonly writes: string[] = [];

  constructor(api: KubeApi, of: { diesAfter?: number; faults?: WatchFaults } = {}) {
    this.api = api;
    this.diesAfter = of.diesAfter ?? Number.POSITIVE_INFINITY;
    this.faults = of.faults ?? null;
    this.died = new Promise((resolve) => {
      this.markDead = resolve;
    });
  }

  get isDead(): boolean {
    return this.dead;
  }

  /** A dead process gets no answer. */
  private async alive<T>(run: () => Promise<T>): Promise<T> {
    if (this.dead) return new Promise<T>(() => {});
    const result = await run();
    return this.dead ? new Promise<T>(() => {}) : result;
  }

  private async write<T>(kind: Write, what: string, run: () => Promise<T>): Promise<T> {
    if (this.dead) return new Promise<T>(() => {});
    const result = await run();
    this.writes.push(`${kind} ${what}`);
    if (this.writes.length < this.diesAfter) return result;
    this.dead = true;
    // Its connections are gone with it.
    for (const watch of this.watches) watch[Symbol.dispose]();
    this.markDead();
    return new Promise<T>(() => {});
  }

  get<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string) {
    return this.alive(() => this.api.get(resource, namespace, name));
  }
  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions) {
    return this.alive(() => this.api.list(resource, options));
  }
  create<T extends KubeObject>(resource: Resource<T>, object: T) {
    const what = `${object.kind}/${object.metadata.name}`;
    return this.write('create', what, () => this.api.create(resource, object));
  }
  replace<T extends KubeObject>(resource: Resource<T>, object: T) {
    const what = `${object.kind}/${object.metadata.name}`;
    return this.write('replace', what, () => this.api.replace(resource, object));
  }
  patch<T extends KubeObject>(
    resource: Resource<T>,
    of: { namespace: string; name: string; subresource?: 'status' },
    patch: unknown,
  ) {
    const what = `${resource.kind}/${of.name}`;
    return this.write('patch', what, () => this.api.patch(resource, of, patch));
  }
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { fieldManager: string; subresource?: 'status' },
  ) {
    const what = `${object.kind}/${object.metadata.name}${options.subresource ? '/status' : ''}`;
    return this.write('apply', what, () => this.api.apply(resource, object, options));
  }
  delete(
    resource: Resource,
    namespace: string,
    name: string,
    options?: { uid?: string; gracePeriodSeconds?: number },
  ) {
    const what = `${resource.kind}/${name}`;
    return this.write('delete', what, () => this.api.delete(resource, namespace, name, options));
  }

  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { readonly resourceVersion: string },
    onEvent: (event: WatchEvent<T>) => void,
  ): WatchHandle {
    const { faults } = this;
    if (this.dead) return { ended: new Promise(() => {}), [Symbol.dispose]() {} };
    let lost = false;
    let isOver = false;
    // Late events stay in their order.
    let last: Promise<void> = Promise.resolve();
    const deliver = (event: WatchEvent<T>, delayMs: number) => {
      last = last.then(async () => {
        if (delayMs > 0) await new Promise((done) => setTimeout(done, delayMs));
        if (!this.dead && !isOver && !lost) onEvent(event);
      });
    };
    const inner = this.api.watch(resource, options, (event) => {
      if (faults === null) {
        if (!this.dead) onEvent(event);
        return;
      }
      if (event.type !== 'BOOKMARK' && faults.random.chance(faults.lose)) {
        lost = true;
        setTimeout(() => inner[Symbol.dispose](), 50);
        return;
      }
      deliver(event, faults.random.between(0, faults.delayMsMax));
      if (event.type !== 'BOOKMARK' && faults.random.chance(faults.duplicate))
        deliver(event, faults.random.between(0, faults.delayMsMax));
    });
    this.watches.add(inner);
    const ended = inner.ended.then(async (end): Promise<WatchEnd> => {
      this.watches.delete(inner);
      if (this.dead) return new Promise(() => {});
      await last;
      return lost ? 'expired' : end;
    });
    return {
      ended,
      [Symbol.dispose]() {
        isOver = true;
        inner[Symbol.dispose]();
      },
    };
  }
}
