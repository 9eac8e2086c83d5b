/**
 * A local copy of one kind of object, kept current by list and watch.
 *
 * Guarantees: after `synced`, `all()` is a state that the API had; an object's version never goes
 * back; `onChange` runs after the copy has changed. A watch that ends is resumed, one that is too
 * old is replaced by a new list, an API that does not answer leaves the copy as it is.
 */
import { expectNoBug, fatal } from '../stdx/bug.ts';
import type { Chance } from '../stdx/chance.ts';
import { jittered } from '../stdx/chance.ts';
import { type Clock, sleep } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import type { KubeObject, Resource } from './objects.ts';
import type { KubeApi, ListOptions, WatchEvent, WatchHandle } from './port.ts';

const RETRY_MS = 200;
const RETRY_MS_MAX = 2_000;

export interface InformerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
}

export type Change<T> = { readonly before: T | null; readonly after: T | null };

export class Informer<T extends KubeObject> implements Disposable {
  private readonly deps: InformerDeps;
  private readonly resource: Resource<T>;
  private readonly options: ListOptions;
  private readonly objects = new Map<string, T>();
  private readonly onChange: (change: Change<T>) => void;
  private watching: WatchHandle | null = null;
  private stopped = false;
  /** Resolves once the first list is in. */
  readonly synced: Promise<void>;
  private markSynced: () => void = () => {};

  constructor(
    deps: InformerDeps,
    resource: Resource<T>,
    options: ListOptions,
    onChange: (change: Change<T>) => void = () => {},
  ) {
    this.deps = deps;
    this.resource = resource;
    this.options = options;
    this.onChange = onChange;
    this.synced = new Promise((resolve) => {
      this.markSynced = resolve;
    });
    void this.run();
  }

  all(): readonly T[] {
    return [...this.objects.values()];
  }

  get size(): number {
    return this.objects.size;
  }

  get(name: string, namespace = this.options.namespace): T | null {
    return this.objects.get(`${namespace ?? ''}/${name}`) ?? null;
  }

  private async run(): Promise<void> {
    let resourceVersion: string | null = null;
    let failures = 0;
    while (!this.stopped) {
      const startedMs = this.deps.clock.monotonicMs();
      try {
        resourceVersion ??= await this.relist();
        resourceVersion = await this.follow(resourceVersion);
        failures = this.deps.clock.monotonicMs() - startedMs > 1000 ? 0 : failures + 1;
      } catch (cause) {
        expectNoBug(`listing ${this.resource.plural}`, cause);
        failures++;
        this.deps.logger.debug('listing failed', { resource: this.resource.plural, cause });
      }
      if (this.stopped) return;
      const delay = Math.min(RETRY_MS * failures, RETRY_MS_MAX);
      if (delay > 0) await sleep(this.deps.clock, jittered(this.deps.chance, delay));
    }
  }

  private async relist(): Promise<string> {
    const list = await this.deps.api.list(this.resource, this.options);
    const present = new Set<string>();
    for (const object of list.items) {
      present.add(keyOf(object));
      this.set(object);
    }
    for (const [key, before] of this.objects) {
      if (!present.has(key)) this.remove(key, before);
    }
    this.markSynced();
    return list.resourceVersion;
  }

  /** Watches until it ends; returns from where to go on, or null to list again. */
  private async follow(from: string): Promise<string | null> {
    let resourceVersion = from;
    const onEvent = (event: WatchEvent<T>) => {
      if (this.stopped) return;
      if (event.type === 'BOOKMARK') {
        resourceVersion = event.resourceVersion;
        return;
      }
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
      if (event.type === 'DELETED') this.remove(keyOf(event.object), event.object);
      else this.set(event.object);
    };
    this.watching = this.deps.api.watch(
      this.resource,
      { ...this.options, resourceVersion },
      onEvent,
    );
    const end = await this.watching.ended;
    return end === 'expired' ? null : resourceVersion;
  }

  private set(object: T): void {
    const key = keyOf(object);
    const before = this.objects.get(key) ?? null;
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    // Who owns which field is of no use here, and often longer than the object.
    const { managedFields: _, ...metadata } = object.metadata;
    const kept = { ...object, metadata };
    this.objects.set(key, kept);
    this.notify({ before, after: kept });
  }

  private remove(key: string, object: T): void {
    if (!this.objects.delete(key)) return;
    this.notify({ before: object, after: null });
  }

  private notify(change: Change<T>): void {
    try {
      this.onChange(change);
    } catch (cause) {
      // Nobody is to go on with half of a change, whatever was thrown.
      fatal(`handling a change of ${this.resource.plural}`, cause);
    }
  }

  [Symbol.dispose](): void {
    this.stopped = true;
    this.watching?.[Symbol.dispose]();
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
