/**
 * What an orderly stop left in a log directory, in one sealed file: the next start need not look into a
 * thousand folders. It holds only together with the clean marker of the same stop; a replica that is on
 * the disk and not in it is one of which nothing is known.
 */
import type { Disk } from '../../stdx/disk.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import { seal, unsealJson } from './sealed-text.ts';

const FILE = 'tenure-logs.json';
const VERSION = 2;

/** Base offset, bytes, largest timestamp and the offset that has it, and checksums of what stands beside it. */
export type NotedSegment = readonly [
  baseOffset: number,
  byteCount: number,
  maxTimestampMs: number,
  maxTimestampOffset: number,
  /** Of `.index` and `.timeindex`; -1 where it is not known. */
  indexSum: number,
  /** Of `.txnindex`; -1 where it is not known. */
  abortedSum: number,
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
  /** Nothing is left for a start to do: no file to remove, no index to make anew. */
  readonly isTidy: boolean;
}

export interface NotedReplica extends NotedLog {
  /** Name of its folder. */
  readonly folder: string;
  readonly topicId: string;
  readonly startOffset: number;
  readonly highWatermark: number;
  readonly cleanedOffset: number;
}

interface Inventory {
  readonly version: typeof VERSION;
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
  const inventory: Inventory = { version: VERSION, brokerEpoch, replicas };
  disk.replaceFile(`${path}/${FILE}`, seal(JSON.stringify(inventory)));
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';

function areSegments(value: unknown, endOffset: number): value is NotedSegment[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  let before = -1;
  for (const one of value as unknown[]) {
    if (!Array.isArray(one) || one.length !== 6 || !one.every(Number.isSafeInteger)) return false;
    const [baseOffset, byteCount] = one as unknown as NotedSegment;
    if (baseOffset <= before || baseOffset > endOffset || byteCount < 0) return false;
    before = baseOffset;
  }
  return true;
}

function isReplica(value: unknown): value is NotedReplica {
  const of = (value ?? {}) as Partial<NotedReplica>;
  return (
    isText(of.folder) &&
    isText(of.topicId) &&
    isText(of.epochs) &&
    LeaderEpochs.fromText(of.epochs) !== null &&
    (of.producers === null || isText(of.producers)) &&
    (of.missingFrom === null || isCount(of.missingFrom)) &&
    typeof of.isTidy === 'boolean' &&
    isCount(of.endOffset) &&
    isCount(of.startOffset) &&
    isCount(of.highWatermark) &&
    isCount(of.cleanedOffset) &&
    areSegments(of.segments, of.endOffset)
  );
}

/** By folder name; empty where that stop wrote none, or what it wrote is damaged. */
export function readInventory(
  disk: Disk,
  path: string,
  brokerEpoch: number,
): Map<string, NotedReplica> {
  const bytes = disk.readBytes(`${path}/${FILE}`);
  if (bytes === null) return new Map();
  const { version, brokerEpoch: of, replicas } = (unsealJson(bytes) ?? {}) as Partial<Inventory>;
  const isWhole =
    version === VERSION &&
    of === brokerEpoch &&
    Array.isArray(replicas) &&
    replicas.every(isReplica);
  // Not ours, of another version, or damaged: the folders tell.
  if (!isWhole) return new Map();
  return new Map((replicas as NotedReplica[]).map((replica) => [replica.folder, replica]));
}
