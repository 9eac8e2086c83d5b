/** Numbers of a broker for metrics and status, counted when somebody asks. */
import { clusterConfigFaults } from './config/faults.ts';
import { type Integrity, NO_FIGURES } from './integrity.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { TailMemory } from './log/tail-memory.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { ClientListener } from './network.ts';
import type { BrokerFacts } from './observe/metrics.ts';
import type { Partitions } from './partition/partitions.ts';
import type { ConnectionGate } from './server/connection-gate.ts';

/** What the image tells of the whole cluster. */
export function imageFacts(image: MetadataImage) {
  const lines = () =>
    image.topics().flatMap(({ partitions }) => partitions.filter((line) => line !== undefined));
  return {
    offlinePartitions: () => lines().filter(({ leader }) => leader === null).length,
    globalTopics: () => image.topics().length,
    globalPartitions: () => lines().length,
    activeBrokers: () => image.liveBrokers().length,
    fencedBrokers: () => image.brokers().filter(({ fenced }) => fenced).length,
  };
}

/** The parts of a broker that are asked when its metrics are; some of them come later than the first scrape. */
export interface FactSources {
  readonly partitions: Partitions;
  readonly image: MetadataImage;
  readonly isController: () => boolean;
  readonly listeners: () => readonly (readonly [string, ClientListener | undefined])[];
  readonly directories: () => LogDirectories | undefined;
  readonly hasStorageFailed: () => boolean;
  readonly groups: () => Iterable<{ readonly state: string }>;
  readonly state: () => number;
  readonly tail: TailMemory;
  readonly memory: BrokerFacts['memory'];
  readonly integrity: () => Integrity | undefined;
  readonly producersEvicted: () => number;
  readonly gate: ConnectionGate;
}

/** What is read when somebody scrapes. */
export function brokerFacts(of: FactSources): Omit<BrokerFacts, 'loopDelay'> {
  return {
    ...imageFacts(of.image),
    partitions: () => of.partitions,
    hasTopic: (name) => of.image.topic(name) !== null,
    isController: of.isController,
    connections: () =>
      new Map(of.listeners().map(([name, listener]) => [name, listener?.connections.size ?? 0])),
    offlineLogDirectories: () =>
      Math.max(of.directories()?.failures.all.size ?? 0, of.hasStorageFailed() ? 1 : 0),
    groupStates: () => countStates(of.groups()),
    state: of.state,
    tailBytes: () => of.tail.bytes,
    memory: of.memory,
    integrity: () => of.integrity()?.figures ?? NO_FIGURES,
    producersEvicted: of.producersEvicted,
    connectionsRefused: () => of.gate.refused,
    connectionsWaiting: () => of.gate.waiting,
  };
}

/** What a broker's status says of itself. */
export function brokerCounts(partitions: Partitions, image: MetadataImage, id: number): object {
  let leaders = 0;
  let underReplicated = 0;
  for (const partition of partitions) {
    if (partition.isLeader) leaders++;
    const line = partition.leaderCore?.line;
    if (line !== undefined && line.isr.length < line.replicas.length) underReplicated++;
  }
  const configProblems = clusterConfigFaults(image, id);
  return { leaders, replicas: partitions.size, underReplicated, configProblems };
}

/** Log directories whose disk failed, and why. */
export function failedLogDirs({ failures }: LogDirectories): string[] {
  return [...failures.all].map(([{ path }, { message }]) => `${path}: ${message}`);
}

/** How many groups are in each state. */
export function countStates(groups: Iterable<{ readonly state: string }>): Map<string, number> {
  const states = new Map<string, number>();
  for (const { state } of groups) {
    const name = state.toLowerCase();
    states.set(name, (states.get(name) ?? 0) + 1);
  }
  return states;
}
