/**
 * DeleteRecords (21). Moves the start of a log; -1 means everything that is committed (KIP-107). Answered
 * when a failover does not bring the records back any more.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  deleteRecordsRequest,
  deleteRecordsResponse,
} from '../../proto/kafka/messages/21-delete-records.ts';
import { api } from './handler.ts';
import { INTERNAL_TOPICS, type Ports } from './ports.ts';

interface Answer {
  readonly partitionIndex: number;
  readonly lowWatermark: number;
  readonly errorCode: number;
}

export function deleteRecords({ image, partition: partitionOf }: Ports) {
  const remove = (
    name: string,
    { partitionIndex, offset }: { readonly partitionIndex: number; readonly offset: number },
    timeoutMs: number,
  ): Answer | Promise<Answer> => {
    const failed = (error: ErrorName) => ({
      partitionIndex,
      lowWatermark: -1,
      errorCode: codeOf(error),
    });
    const topic = image.topic(name);
    if (topic === null || topic.partitions[partitionIndex] === undefined)
      return failed('UNKNOWN_TOPIC_OR_PARTITION');
    if (INTERNAL_TOPICS.has(name)) return failed('INVALID_TOPIC_EXCEPTION');
    const partition = partitionOf(topic.id, partitionIndex);
    if (partition === null || !partition.isLeader) return failed('NOT_LEADER_OR_FOLLOWER');
    // A compacted log is one state: cutting its start would lose keys that were never deleted.
    if (!partition.log.config.deletes) return failed('POLICY_VIOLATION');
    const { highWatermark } = partition;
    const before = offset === -1 ? highWatermark : offset;
    if (before < 0 || before > highWatermark) return failed('OFFSET_OUT_OF_RANGE');
    return new Promise((resolve) => {
      partition.deleteBefore(before, {
        timeoutMs,
        done: ({ error, lowWatermark }) =>
          resolve({ partitionIndex, lowWatermark, errorCode: codeOf(error) }),
      });
    });
  };
  return api({
    key: 21,
    name: 'DeleteRecords',
    request: deleteRecordsRequest,
    response: deleteRecordsResponse,
    handle: async ({ timeoutMs, topics }) => ({
      topics: await Promise.all(
        topics.map(async ({ name, partitions }) => ({
          name,
          partitions: await Promise.all(partitions.map((of) => remove(name, of, timeoutMs))),
        })),
      ),
    }),
    failed: ({ topics }, error) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          lowWatermark: -1,
          errorCode: codeOf(error),
        })),
      })),
    }),
  });
}
