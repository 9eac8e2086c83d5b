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

const LINES_PER_PAGE = 256;
const WRITES_IN_FLIGHT = 16;

/** A newer controller has claimed a page: this one is over. */
export class Deposed extends Error {}

interface Page {
  object: KafkaPartitionMap;
  readonly lines: Map<string, PartitionLine>;
}

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

  private async claimPage(page: KafkaPartitionMap): Promise<void> {
    let current: KafkaPartitionMap | null = page;
    while (current !== null) {
      this.check(current);
      const spec = { ...current.spec, controllerEpoch: this.deps.controllerEpoch };
      try {
        this.take(await this.deps.api.replace(kafkaPartitionMaps, { ...current, spec }));
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

  private take(object: KafkaPartitionMap): void {
    const { name } = object.metadata;
    for (const key of this.pages.get(name)?.lines.keys() ?? []) this.pageOf.delete(key);
    const lines = new Map(
      parsePage(object.spec.partitions).map((line) => [
        partitionKey(line.topicId, line.partition),
        line,
      ]),
    );
    for (const key of lines.keys()) this.pageOf.set(key, name);
    this.pages.set(name, { object, lines });
    this.together = null;
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
  async write(updates: LineUpdates): Promise<void> {
    const byPage = new Map<string, Map<string, PartitionLine | null>>();
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
    await inParallel([...byPage], ([name, of]) => this.writePage(name, of));
  }

  private pageWithRoom(room: Map<string, number>): string {
    for (const [name, left] of room) {
      if (left <= 0) continue;
      room.set(name, left - 1);
      return name;
    }
    const name = `${this.deps.cluster}-partitions-${String(room.size).padStart(4, '0')}`;
    room.set(name, LINES_PER_PAGE - 1);
    return name;
  }

  private async writePage(name: string, updates: LineUpdates): Promise<void> {
    const { api, namespace } = this.deps;
    const page = this.pages.get(name);
    const lines = new Map(page?.lines);
    for (const [key, line] of updates) {
      if (line === null) lines.delete(key);
      else lines.set(key, line);
    }
    const partitions = formatPage([...lines.values()]);
    try {
      const written =
        page === undefined
          ? await api.create(kafkaPartitionMaps, this.newPage(name, partitions))
          : await api.replace(kafkaPartitionMaps, {
              ...page.object,
              spec: { ...page.object.spec, partitions },
            });
      this.take(written);
    } catch (cause) {
      expectNoBug('writing a page', cause);
      // Whether the write happened is unknown until the page is read again.
      this.deps.logger.info('page not written, reading it again', { page: name, cause });
      const current = await api.get(kafkaPartitionMaps, namespace, name);
      if (current === null) return;
      this.check(current);
      if (current.spec.controllerEpoch === this.deps.controllerEpoch) this.take(current);
      else await this.claimPage(current);
    }
  }

  private newPage(name: string, partitions: string): KafkaPartitionMap {
    const { namespace, cluster, owner, controllerEpoch } = this.deps;
    return {
      apiVersion: API_VERSION,
      kind: 'KafkaPartitionMap',
      metadata: { name, namespace, labels: { [CLUSTER_LABEL]: cluster }, ownerReferences: [owner] },
      spec: { clusterRef: { name: cluster }, controllerEpoch, partitions },
    };
  }
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(WRITES_IN_FLIGHT, items.length) }, worker));
}
