/** What the volumes of a broker noted of its replicas before this life began. */
import type { ConfigMapOf } from '../kube/kafka-objects.ts';
import { type PartitionLine, parseLine, partitionKey } from '../kube/partition-line.ts';
import type { DirectoryRecord } from './log/directory-record.ts';
import { compareLines } from './metadata/page-age.ts';
import type { HeldReplica } from './metadata/recovery-core.ts';
import type { Partition } from './partition/partition.ts';

function configOf(text: string): ConfigMapOf | null {
  try {
    const config = JSON.parse(text) as unknown;
    return typeof config === 'object' && config !== null ? (config as ConfigMapOf) : null;
  } catch {
    return null; // As an earlier version noted it.
  }
}

export class NotedLines {
  readonly storeGeneration: number;
  /** By topic id and partition, as of a replica that has no record. */
  private readonly replicas = new Map<string, HeldReplica & { readonly line: PartitionLine }>();
  private readonly topicConfigs = new Map<string, ConfigMapOf>();

  constructor(records: readonly DirectoryRecord[]) {
    this.storeGeneration = Math.max(0, ...records.map(({ storeGeneration }) => storeGeneration));
    for (const { replicas } of records) {
      for (const replica of replicas ?? []) {
        const line = parseLine(replica.line);
        const key = partitionKey(replica.topicId, replica.partition);
        const known = this.replicas.get(key);
        if (known !== undefined && compareLines(known.line, line) >= 0) continue;
        const { partition, topic, topicId } = replica;
        const config = configOf(replica.config);
        if (config !== null) this.topicConfigs.set(topicId, config);
        const nothing = { startOffset: 0, endOffset: 0, lastEpoch: -1, highWatermark: 0 };
        this.replicas.set(key, { topic, topicId, partition, line, config, ...nothing });
      }
    }
  }

  lineOf(key: string): PartitionLine | null {
    return this.replicas.get(key)?.line ?? null;
  }

  configs(): Iterable<[string, ConfigMapOf]> {
    return this.topicConfigs;
  }

  all(): Iterable<[string, HeldReplica]> {
    return this.replicas;
  }

  forget(key: string): void {
    this.replicas.delete(key);
  }
}

/** A replica whose log is open, for a report. */
export function heldOf(
  { highWatermark, line, log, partition, topic, topicId }: Partition,
  noted: NotedLines,
  config: ConfigMapOf | null,
): HeldReplica {
  return {
    topic,
    topicId,
    partition,
    line: line ?? noted.lineOf(partitionKey(topicId, partition)),
    startOffset: log.startOffset,
    endOffset: log.endOffset,
    lastEpoch: log.latestEpoch,
    highWatermark,
    config,
  };
}
