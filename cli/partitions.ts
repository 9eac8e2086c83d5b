/** What can be done with partitions: offsets, deletion of records, log directories, moves, elections. */
import { type AdminClient, check } from '../client/admin.ts';
import { errorName } from '../proto/kafka/errors.ts';
import { apis } from '../proto/kafka/messages/index.ts';
import type { TopicPartition } from './offset-resets.ts';

/** Every partition of topics whose name matches; internal ones only where they are named. */
export async function partitionsOf(
  admin: AdminClient,
  topics: readonly string[] | null,
): Promise<TopicPartition[]> {
  const found = await admin.topics(topics);
  return found
    .filter(({ isInternal }) => topics !== null || !isInternal)
    .flatMap(({ name, errorCode, partitions }) => {
      check(errorCode, name);
      return partitions.map(({ partitionIndex }) => ({
        topic: name ?? '',
        partition: partitionIndex,
      }));
    })
    .sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
}

/** Groups partitions by topic, in the form of requests. */
function byTopic(partitions: readonly TopicPartition[]): Map<string, number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions)
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return topics;
}

export async function getOffsets(
  admin: AdminClient,
  topics: readonly string[] | null,
  timestamp: number,
): Promise<string[]> {
  const partitions = await partitionsOf(admin, topics);
  const offsets = await admin.listOffsets(partitions, timestamp);
  return partitions.flatMap(({ topic, partition }) => {
    const offset = offsets.get(`${topic}:${partition}`);
    return offset === undefined || offset < 0 ? [] : [`${topic}:${partition}:${offset}`];
  });
}

interface OffsetsFile {
  readonly partitions: readonly { topic: string; partition: number; offset: number }[];
}

/** As in Kafka's file: `{"version":1,"partitions":[{"topic":"t","partition":0,"offset":3}]}`. */
export async function deleteRecords(admin: AdminClient, file: OffsetsFile): Promise<string[]> {
  const topics = await admin.topics([...new Set(file.partitions.map(({ topic }) => topic))]);
  const lines: string[] = [];
  for (const { topic, partition, offset } of file.partitions) {
    const leader =
      topics
        .find(({ name }) => name === topic)
        ?.partitions.find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
    if (leader < 0) {
      lines.push(
        `partition: ${topic}-${partition}\terror: the partition is unknown or has no leader`,
      );
      continue;
    }
    const body = {
      timeoutMs: 30_000,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }],
    };
    const answer = await admin.broker(leader, apis.DeleteRecords, 2, body);
    const result = answer.topics[0]?.partitions[0];
    const error = errorName(result?.errorCode ?? -1);
    const outcome = error === 'NONE' ? `low_watermark: ${result?.lowWatermark}` : `error: ${error}`;
    lines.push(`partition: ${topic}-${partition}\t${outcome}`);
  }
  return lines;
}

/** One JSON document, as Kafka's tool prints it. */
export async function describeLogDirs(
  admin: AdminClient,
  of: { brokers: readonly number[] | null; topics: readonly string[] | null },
): Promise<string> {
  const { brokers } = await admin.cluster();
  const ids = of.brokers ?? brokers.map(({ brokerId }) => brokerId);
  const described = [];
  for (const broker of ids) {
    const { results } = await admin.broker(broker, apis.DescribeLogDirs, 4, { topics: null });
    described.push({
      broker,
      logDirs: results.map(({ logDir, errorCode, topics, totalBytes, usableBytes }) => ({
        logDir,
        error: errorCode === 0 ? null : errorName(errorCode),
        totalBytes,
        usableBytes,
        partitions: topics
          .filter(({ name }) => of.topics === null || of.topics.includes(name))
          .flatMap(({ name, partitions }) =>
            partitions.map(({ partitionIndex, partitionSize, offsetLag, isFutureKey }) => ({
              partition: `${name}-${partitionIndex}`,
              size: partitionSize,
              offsetLag,
              isFuture: isFutureKey,
            })),
          ),
      })),
    });
  }
  return JSON.stringify({ version: 1, brokers: described });
}

interface MovesFile {
  readonly partitions: readonly { topic: string; partition: number; replicas: readonly number[] }[];
}

/** Begins moves, or cancels them (`cancel`). Lines say what became of each. */
export async function reassign(
  admin: AdminClient,
  file: MovesFile,
  cancel: boolean,
): Promise<string[]> {
  const answer = await admin.any(apis.AlterPartitionReassignments, 1, {
    timeoutMs: 30_000,
    topics: [...byTopic(file.partitions)].map(([name, ids]) => ({
      name,
      partitions: ids.map((partitionIndex) => ({
        partitionIndex,
        replicas: cancel
          ? null
          : [
              ...(file.partitions.find(
                ({ topic, partition }) => topic === name && partition === partitionIndex,
              )?.replicas ?? []),
            ],
      })),
    })),
  });
  check(answer.errorCode, answer.errorMessage);
  return answer.responses.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode, errorMessage }) => {
      const done = cancel ? 'cancelled' : 'started';
      const outcome = errorCode === 0 ? done : `${errorName(errorCode)}: ${errorMessage}`;
      return `${name}-${partitionIndex}\t${outcome}`;
    }),
  );
}

export async function listReassignments(admin: AdminClient): Promise<string[]> {
  const answer = await admin.any(apis.ListPartitionReassignments, 0, { timeoutMs: 30_000 });
  check(answer.errorCode, answer.errorMessage);
  const lines = answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(
      ({ partitionIndex, replicas, addingReplicas, removingReplicas }) =>
        `${name}-${partitionIndex}: replicas: ${replicas.join(',')}. adding: ${addingReplicas.join(',')}. removing: ${removingReplicas.join(',')}.`,
    ),
  );
  return lines.length === 0 ? ['No partition reassignments found.'] : lines;
}

/** Whether the partitions of a file are where it says. */
export async function verifyReassignment(admin: AdminClient, file: MovesFile): Promise<string[]> {
  const topics = await admin.topics([...new Set(file.partitions.map(({ topic }) => topic))]);
  const moving = new Set((await listReassignments(admin)).map((line) => line.split(':')[0]));
  return file.partitions.map(({ topic, partition, replicas }) => {
    const now = topics
      .find(({ name }) => name === topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === partition)?.replicaNodes;
    const name = `${topic}-${partition}`;
    if (moving.has(name)) return `Reassignment of partition ${name} is still in progress.`;
    return now?.join() === replicas.join()
      ? `Reassignment of partition ${name} is completed.`
      : `There is no active reassignment of partition ${name}, but replica set is ${now?.join()} rather than ${replicas.join()}.`;
  });
}

export async function electLeaders(
  admin: AdminClient,
  of: { unclean: boolean; partitions: readonly TopicPartition[] | null },
): Promise<string[]> {
  const { unclean, partitions } = of;
  const topicPartitions =
    partitions === null
      ? null
      : [...byTopic(partitions)].map(([topic, ids]) => ({ topic, partitions: ids }));
  const answer = await admin.any(apis.ElectLeaders, 2, {
    electionType: unclean ? 1 : 0,
    topicPartitions,
    timeoutMs: 30_000,
  });
  check(answer.errorCode);
  return answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map(({ partitionId, errorCode, errorMessage }) => {
      if (errorCode === 0)
        return `Successfully completed leader election for ${topic}-${partitionId}`;
      return `${topic}-${partitionId}: ${errorName(errorCode)}: ${errorMessage}`;
    }),
  );
}
