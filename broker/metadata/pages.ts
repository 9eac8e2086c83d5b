/** The controller's hold on the partition pages: claimed by epoch, written by compare-and-swap. */

import {
  API_VERSION,
  CLUSTER_LABEL,
  type KafkaPartitionMap,
  kafkaPartitionMaps,
} from '../../kube/kafka-objects.ts';
import type { OwnerReference } from '../../kube/objects.ts';
import {
  formatPage,
  type PartitionLine,
  parsePage,
  partitionKey,
} from '../../kube/partition-line.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Logger } from '../../stdx/logger.ts';
import { ageOf, isOlderPage, type PageAge } from './page-age.ts';

const LINES_PER_PAGE = 256;
const WRITES_IN_FLIGHT = 16;

/** A newer controller has claimed a page, or the API has forgotten what it said: this one is over. */
export class Deposed extends Error {}

interface Page {
  object: KafkaPartitionMap;
  readonly lines: Map<string, PartitionLine>;
}

const generationOf = ({ spec }: KafkaPartitionMap) => spec.storeGeneration ?? 0;

/** Null removes the line. */
export type LineUpdates = ReadonlyMap<string, PartitionLine | null>;

export interface PagesDeps {
  readonly api: KubeApi;
  readonly logger: Logger;
  readonly owner: OwnerReference;
  readonly namespace: string;
  readonly cluster: string;
  readonly controllerEpoch: number;
}

export class Pages {
  private readonly deps: PagesDeps;
  private readonly pages = new Map<string, Page>();
  private readonly pageOf = new Map<string, string>();

  constructor(deps: PagesDeps) {
    this.deps = deps;
  }

  /** Claims every page for this controller's epoch; from then on an older one cannot write. */
  async claim(): Promise<void> {
    const { api, namespace, cluster } = this.deps;
    const list = await api.list(kafkaPartitionMaps, {
      namespace,
      labelSelector: `${CLUSTER_LABEL}=${cluster}`,
    });
    await inParallel(list.items, (page) => this.claimPage(page));
  }

  /** Counts whenever lines come or go: who has seen a higher one than the API shows knows an older API. */
  get generation(): number {
    let generation = this.generationMin;
    for (const { object } of this.pages.values())
      generation = Math.max(generation, generationOf(object));
    return generation;
  }

  /** What is written from now on is above that generation. */
  raise(generation: number): void {
    this.generationMin = Math.max(this.generationMin, generation);
  }
  private generationMin = 0;

  /** Whether every page says so, and one at least. */
  get isRaised(): boolean {
    const pages = [...this.pages.values()];
    return (
      pages.length > 0 && pages.every(({ object }) => generationOf(object) >= this.generationMin)
    );
  }

  private async claimPage(page: KafkaPartitionMap): Promise<void> {
    let current: KafkaPartitionMap | null = page;
    while (current !== null) {
      this.check(current);
      // Claimed before, and nobody wrote it since.
      const { resourceVersion } = current.metadata;
      const known = this.pages.get(current.metadata.name)?.object.metadata.resourceVersion;
      if (known !== undefined && known === resourceVersion) return;
      const spec = { ...current.spec, controllerEpoch: this.deps.controllerEpoch };
      // Of an earlier object of this cluster, it would go when that one's remains are cleared away.
      const metadata = { ...current.metadata, ownerReferences: [this.deps.owner] };
      try {
        this.take(await this.deps.api.replace(kafkaPartitionMaps, { ...current, metadata, spec }));
        return;
      } catch (cause) {
        if (!isKubeError(cause, 409)) throw cause;
        current = await this.deps.api.get(
          kafkaPartitionMaps,
          this.deps.namespace,
          page.metadata.name,
        );
      }
    }
  }

  private check(page: KafkaPartitionMap): void {
    if (page.spec.controllerEpoch > this.deps.controllerEpoch) {
      throw new Deposed(
        `page ${page.metadata.name} belongs to controller epoch ${page.spec.controllerEpoch}`,
      );
    }
  }

  /** @throws Deposed where the page is older than it was: what was decided since counts no more. */
  private take(object: KafkaPartitionMap): void {
    const { name } = object.metadata;
    const before = this.pages.get(name);
    const lines = new Map(
      parsePage(object.spec.partitions).map((line) => [
        partitionKey(line.topicId, line.partition),
        line,
      ]),
    );
    const generation = generationOf(object);
    const known = before === undefined ? generation : generationOf(before.object);
    if (generation < known || (generation === known && isOlderPage(before?.lines, lines)))
      throw new Deposed(`page ${name} is older than it was: the API has an older memory`);
    for (const key of before?.lines.keys() ?? []) this.pageOf.delete(key);
    for (const key of lines.keys()) this.pageOf.set(key, name);
    this.pages.set(name, { object, lines });
    this.together = null;
  }

  ages(): PageAge[] {
    return [...this.pages].map(([name, { lines, object }]) =>
      ageOf({ name, generation: generationOf(object) }, object.spec.partitions, lines),
    );
  }

  get(key: string): PartitionLine | null {
    const page = this.pageOf.get(key);
    return (page === undefined ? undefined : this.pages.get(page)?.lines.get(key)) ?? null;
  }

  /** Every line in force; the same map until a page changes. */
  all(): ReadonlyMap<string, PartitionLine> {
    if (this.together !== null) return this.together;
    const lines = new Map<string, PartitionLine>();
    for (const page of this.pages.values())
      for (const [key, line] of page.lines) lines.set(key, line);
    this.together = lines;
    return lines;
  }
  private together: ReadonlyMap<string, PartitionLine> | null = null;

  /**
   * Writes the changed lines. A page that cannot be written now keeps its state and is read again;
   * the caller sees in `get` what is in force.
   * @throws Deposed
   */
  write(updates: LineUpdates): Promise<void> {
    return this.writeWith(updates, new Map());
  }

  /**
   * Writes the changed lines, and every page with a generation above all that there were: whoever has seen a
   * higher one than a page has believes no word of it. At least one page says so.
   * @throws Deposed
   */
  async rewrite(updates: LineUpdates): Promise<void> {
    this.raise(this.generation + 1);
    const byPage = new Map([...this.pages.keys()].map((name) => [name, new Map()]));
    if (byPage.size + updates.size === 0) byPage.set(this.pageName(0), new Map());
    await this.writeWith(updates, byPage);
  }

  private async writeWith(
    updates: LineUpdates,
    byPage: Map<string, Map<string, PartitionLine | null>>,
  ): Promise<void> {
    const generation = this.generation + 1;
    const room = new Map(
      [...this.pages].map(([name, { lines }]) => [name, LINES_PER_PAGE - lines.size]),
    );
    for (const [key, line] of updates) {
      const name = this.pageOf.get(key) ?? (line === null ? null : this.pageWithRoom(room));
      if (name === null) continue;
      let of = byPage.get(name);
      if (of === undefined) byPage.set(name, (of = new Map()));
      of.set(key, line);
    }
    await inParallel([...byPage], ([name, of]) => this.writePage(name, of, generation));
  }

  /** A page was deleted, which is no order: what it said is written again. */
  async restore(name: string): Promise<void> {
    const page = this.pages.get(name);
    if (page === undefined) return;
    const { api, logger, namespace } = this.deps;
    if ((await api.get(kafkaPartitionMaps, namespace, name)) !== null) return;
    const partitions = formatPage([...page.lines.values()]);
    this.take(
      await api.create(kafkaPartitionMaps, this.newPage(name, partitions, this.generation)),
    );
    logger.warn('a deleted page was written again', { page: name });
  }

  private pageWithRoom(room: Map<string, number>): string {
    for (const [name, left] of room) {
      if (left <= 0) continue;
      room.set(name, left - 1);
      return name;
    }
    const name = this.pageName(room.size);
    room.set(name, LINES_PER_PAGE - 1);
    return name;
  }

  private pageName(index: number): string {
    return `${this.deps.cluster}-partitions-${String(index).padStart(4, '0')}`;
  }

  private async writePage(name: string, updates: LineUpdates, next: number): Promise<void> {
    const { api, namespace } = this.deps;
    const page = this.pages.get(name);
    const lines = new Map(page?.lines);
    // A page from before the API lost its memory is not the newest until it is above what was seen then.
    let isOther = page === undefined || generationOf(page.object) < this.generationMin;
    for (const [key, line] of updates) {
      if ((line === null) === lines.has(key)) isOther = true;
      if (line === null) lines.delete(key);
      else lines.set(key, line);
    }
    const partitions = formatPage([...lines.values()]);
    const storeGeneration = isOther ? next : generationOf((page as Page).object);
    try {
      const written =
        page === undefined
          ? await api.create(kafkaPartitionMaps, this.newPage(name, partitions, storeGeneration))
          : await api.replace(kafkaPartitionMaps, {
              ...page.object,
              spec: { ...page.object.spec, partitions, storeGeneration },
            });
      this.take(written);
    } catch (cause) {
      if (cause instanceof Deposed) throw cause;
      expectNoBug('writing a page', cause);
      // Whether the write happened is unknown until the page is read again.
      this.deps.logger.info('page not written, reading it again', { page: name, cause });
      const current = await api.get(kafkaPartitionMaps, namespace, name);
      if (current === null) return this.restore(name);
      this.check(current);
      if (current.spec.controllerEpoch === this.deps.controllerEpoch) this.take(current);
      else await this.claimPage(current);
    }
  }

  private newPage(name: string, partitions: string, storeGeneration: number): KafkaPartitionMap {
    const { namespace, cluster, owner, controllerEpoch } = this.deps;
    return {
      apiVersion: API_VERSION,
      kind: 'KafkaPartitionMap',
      metadata: { name, namespace, labels: { [CLUSTER_LABEL]: cluster }, ownerReferences: [owner] },
      spec: { clusterRef: { name: cluster }, controllerEpoch, storeGeneration, partitions },
    };
  }
}

/** As many at a time as the API is written to at once. */
export async function inParallel<T>(
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(WRITES_IN_FLIGHT, items.length) }, worker));
}
