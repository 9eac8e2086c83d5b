/** Numbers of a broker for metrics and status, counted when somebody asks. */
import { clusterConfigFaults } from './config/faults.ts';
import type { LogDirectories } from './log/log-directories.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { Partitions } from './partition/partitions.ts';

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
