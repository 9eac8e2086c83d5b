/** The Kubernetes API of the simulated world: the embedded one, behind a network that fails. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import type { Kind } from '../../kube/embedded/kinds.ts';
import { selectorFor } from '../../kube/embedded/selectors.ts';
import { Store, type StoredEvent } from '../../kube/embedded/store.ts';
import type { KubeObject, Resource } from '../../kube/objects.ts';
import {
  isKubeError,
  type KubeApi,
  KubeError,
  KubeUnreachable,
  type WatchEnd,
  type WatchEvent,
} from '../../kube/port.ts';
import { ROOT } from '../../stdx/root.ts';
import type { Random } from './random.ts';
import { clockOf, Process, type Scheduler } from './scheduler.ts';

const CALL_TIMEOUT_MS = 5_000;
const CRDS = [
  'kafkabrokers',
  'kafkaclusters',
  'kafkaclusterstates',
  'kafkapartitionmaps',
  'kafkatopics',
];
const crds = CRDS.map(
  (name) =>
    parse(readFileSync(join(ROOT, `crds/${name}.kafka.tenure.dev.yaml`), 'utf8')) as KubeObject,
);

type StoreCopy = readonly { readonly collection: string; readonly object: KubeObject }[];

interface Watch {
  readonly process: Process;
  readonly end: () => void;
  readonly flush: () => void;
}

export class SimKube {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  readonly api: EmbeddedApi;
  private readonly store = new Store(':memory:');
  private readonly watches = new Set<Watch>();
  isDown = false;
  /** How often a write meets another one that came first. */
  conflictChance = 0;
  /** How much later than others a process hears of what happens. */
  readonly late = new Map<Process, number>();
  /** Processes that cannot reach the API, nor it them. */
  readonly cut = new Set<Process>();

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
    const clock = clockOf(scheduler, new Process('kube'), { rate: 1, skewMs: 0 });
    this.api = new EmbeddedApi({ store: this.store, clock, chance: random.fork() });
    const kind = this.api.kind('apiextensions.k8s.io', 'v1', 'customresourcedefinitions') as Kind;
    for (const crd of crds) this.api.create(kind, '', crd, {});
  }

  /** Tells of every object that is written. */
  onWrite(run: (object: KubeObject) => void): void {
    this.store.listen(({ object, type }) => {
      if (type !== 'DELETED') run(object);
    });
  }

  kindOf({ group, plural, version }: Resource): Kind {
    const kind = this.api.kind(group, version, plural);
    if (kind === null) throw new Error(`no kind ${group}/${version} ${plural}`);
    return kind;
  }

  private latency(): number {
    return this.random.chance(0.02) ? this.random.between(50, 800) : this.random.between(0.5, 4);
  }
  private reaches(process: Process): boolean {
    return !this.isDown && !this.cut.has(process);
  }

  /** Nobody hears anything of what happened; watches end or stand still. */
  goDown(): void {
    this.isDown = true;
    for (const watch of [...this.watches]) watch.end();
  }
  comeBack(): void {
    this.isDown = false;
    for (const watch of this.watches) watch.flush();
  }
  heal(process: Process): void {
    this.cut.delete(process);
    for (const watch of this.watches) if (watch.process === process) watch.flush();
  }
  dropWatches(process: Process): void {
    for (const watch of [...this.watches]) if (watch.process === process) watch.end();
  }

  /** Everything that is stored. */
  copy(): StoreCopy {
    return [...this.store.all()].map(({ collection, object }) => ({
      collection,
      object: structuredClone(object),
    }));
  }

  /** Everything is as it was; only versions go on, as after a restore of etcd as it should be done. */
  restore(copy: StoreCopy): void {
    const keyOf = ({ metadata: { name, namespace } }: KubeObject) =>
      namespace === undefined ? name : `${namespace}/${name}`;
    const kept = new Set(copy.map(({ collection, object }) => `${collection} ${keyOf(object)}`));
    for (const { collection, object } of [...this.store.all()])
      if (!kept.has(`${collection} ${keyOf(object)}`)) this.store.remove(collection, keyOf(object));
    for (const { collection, object } of copy)
      if (JSON.stringify(this.store.get(collection, keyOf(object))) !== JSON.stringify(object))
        this.store.put(collection, keyOf(object), structuredClone(object));
    this.restoredAt = this.store.version;
    for (const watch of [...this.watches]) watch.end();
  }
  /** Who wants to watch from an earlier version on must list everything anew. */
  private restoredAt = 0;

  /** The API as one process sees it. */
  for(process: Process): KubeApi {
    const call = <T>(run: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        const { scheduler } = this;
        const timeout = scheduler.after(CALL_TIMEOUT_MS, process, () =>
          reject(new KubeUnreachable('no answer in time')),
        );
        const answer = (settle: () => void) => {
          // A lost answer leaves the caller not knowing whether it happened.
          if (!this.reaches(process)) return;
          scheduler.after(this.latency(), process, () => {
            timeout[Symbol.dispose]();
            settle();
          });
        };
        if (!this.reaches(process)) return;
        scheduler.after(this.latency(), null, () => {
          if (!this.reaches(process)) return;
          try {
            const result = run();
            answer(() => resolve(result));
          } catch (cause) {
            answer(() => reject(cause));
          }
        });
      });
    /** Somebody else was quicker: nothing is written. */
    const write = <T>(run: () => T): Promise<T> =>
      call(() => {
        if (this.conflictChance > 0 && this.random.chance(this.conflictChance))
          throw new KubeError(409, 'Conflict', 'the object has been modified');
        return run();
      });
    const copy = <T>(value: T): T => structuredClone(value);
    return {
      get: (resource, namespace, name) =>
        call(() => {
          try {
            return copy(this.api.get(this.kindOf(resource), namespace, name)) as never;
          } catch (cause) {
            if (isKubeError(cause, 404)) return null;
            throw cause;
          }
        }),
      list: (resource, { namespace, labelSelector }) =>
        call(() => {
          const query = new URLSearchParams(labelSelector === undefined ? {} : { labelSelector });
          const items = this.api.list(this.kindOf(resource), namespace ?? null, selectorFor(query));
          return { items: copy(items) as never, resourceVersion: String(this.store.version) };
        }),
      watch: (resource, options, onEvent) => this.watch(process, resource, options, onEvent),
      create: (resource, object) =>
        call(() =>
          copy(
            this.api.create(
              this.kindOf(resource),
              object.metadata.namespace ?? '',
              copy(object),
              {},
            ) as never,
          ),
        ),
      replace: (resource, object) =>
        write(() => {
          const { namespace = '', name } = object.metadata;
          const kind = this.kindOf(resource);
          return copy(this.api.replace(kind, namespace, name, copy(object), null, {}) as never);
        }),
      patch: (resource, of, patch) =>
        call(() => {
          const kind = this.kindOf(resource);
          const body = copy(patch) as Record<string, never>;
          const { namespace, name, subresource = null } = of;
          return copy(
            this.api.patch(kind, namespace, name, 'merge', body, subresource, {}) as never,
          );
        }),
      apply: (resource, object, { fieldManager, subresource = null }) =>
        call(() => {
          const { namespace = '', name } = object.metadata;
          const body = copy(object) as unknown as Record<string, never>;
          const options = { fieldManager, force: true };
          return copy(
            this.api.patch(
              this.kindOf(resource),
              namespace,
              name,
              'apply',
              body,
              subresource,
              options,
            ) as never,
          );
        }),
      delete: (resource, namespace, name, options = {}) =>
        call(() => {
          this.api.delete(this.kindOf(resource), namespace, name, options);
        }),
    };
  }

  private watch<T extends KubeObject>(
    process: Process,
    resource: Resource<T>,
    options: { namespace?: string; labelSelector?: string; resourceVersion: string },
    onEvent: (event: WatchEvent<T>) => void,
  ) {
    const { scheduler } = this;
    const collection = `${resource.group}/${resource.plural}`;
    const { labelSelector, namespace } = options;
    const selects = selectorFor(
      new URLSearchParams(labelSelector === undefined ? {} : { labelSelector }),
    );
    let settle: (end: WatchEnd) => void = () => {};
    const ended = new Promise<WatchEnd>((resolve) => {
      settle = resolve;
    });
    let over = false;
    let lastMs = 0;
    let waiting: StoredEvent[] = [];
    const deliver = (event: StoredEvent) => {
      if (over) return;
      if (!this.reaches(process)) {
        waiting.push(event);
        return;
      }
      const { metadata } = event.object;
      if (namespace !== undefined && metadata.namespace !== namespace) return;
      const is = event.type !== 'DELETED' && selects(event.object);
      const was = event.before !== null && selects(event.before);
      if (!is && !was) return;
      const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
      // In order, however slow the network is.
      const lateMs = this.late.get(process) ?? 0;
      lastMs = Math.max(lastMs, scheduler.nowMs + lateMs + this.latency());
      scheduler.at(lastMs, process, () => {
        if (!over) onEvent({ type, object: structuredClone(event.object) as T });
      });
    };
    // A watch that never reached the API hears nothing, and ends.
    const isOpen = this.reaches(process);
    const listening = this.store.listen((event) => {
      if (isOpen && event.collection === collection) deliver(event);
    });
    const watch: Watch = {
      process,
      end: () => finish('closed'),
      flush: () => {
        const late = waiting;
        waiting = [];
        for (const event of late) deliver(event);
      },
    };
    const finish = (end: WatchEnd) => {
      if (over) return;
      over = true;
      listening[Symbol.dispose]();
      this.watches.delete(watch);
      scheduler.after(this.latency(), process, () => settle(end));
    };
    this.watches.add(watch);
    if (!isOpen) {
      scheduler.after(CALL_TIMEOUT_MS, process, () => finish('closed'));
    } else {
      const since = Number(options.resourceVersion);
      const missed = since < this.restoredAt ? null : this.store.since(since);
      if (missed === null) finish('expired');
      else for (const event of missed) if (event.collection === collection) deliver(event);
    }
    return {
      ended,
      [Symbol.dispose]: () => {
        over = true;
        listening[Symbol.dispose]();
        this.watches.delete(watch);
      },
    };
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}
