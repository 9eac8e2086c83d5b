/**
 * What an orderly stop left in a log directory, in one file: the next start need not look into a
 * thousand folders. It holds only together with the clean marker of the same stop.
 */
import type { Disk } from '../../stdx/disk.ts';

const FILE = 'tenure-logs.json';

/** Base offset, bytes, largest timestamp and the offset that has it. */
export type NotedSegment = readonly [
  baseOffset: number,
  byteCount: number,
  maxTimestampMs: number,
  maxTimestampOffset: number,
];

/** A log as it was closed. */
export interface NotedLog {
  readonly segments: readonly NotedSegment[];
  readonly endOffset: number;
  /** As in `leader-epoch-checkpoint`. */
  readonly epochs: string;
  /** As in a `.snapshot` file, base64; null where there are no producers. */
  readonly producers: string | null;
  readonly missingFrom: number | null;
}

export interface NotedReplica extends NotedLog {
  /** Name of its folder. */
  readonly folder: string;
  readonly topicId: string;
}

interface Inventory {
  readonly version: 1;
  readonly brokerEpoch: number;
  readonly replicas: readonly NotedReplica[];
}

/** @throws DiskError */
export function writeInventory(
  disk: Disk,
  path: string,
  brokerEpoch: number,
  replicas: readonly NotedReplica[],
): void {
  const inventory: Inventory = { version: 1, brokerEpoch, replicas };
  disk.replaceFile(`${path}/${FILE}`, JSON.stringify(inventory));
}

/** By folder name; empty where that stop wrote none. */
export function readInventory(
  disk: Disk,
  path: string,
  brokerEpoch: number,
): Map<string, NotedReplica> {
  const text = disk.readText(`${path}/${FILE}`);
  if (text === null) return new Map();
  try {
    const { version, brokerEpoch: of, replicas } = JSON.parse(text) as Inventory;
    if (version !== 1 || of !== brokerEpoch) return new Map();
    return new Map(replicas.map((replica) => [replica.folder, replica]));
  } catch {
    return new Map(); // Not ours, or of a version that is not known: the folders tell.
  }
}
