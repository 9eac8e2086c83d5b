/**
 * AlterReplicaLogDirs (34, KIP-113). Says where a replica is to lie that is not on this broker yet: it is
 * made there when it comes, and until then the answer is Kafka's REPLICA_NOT_AVAILABLE. A replica that
 * has its records in another directory stays there: that it moves is not supported.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  alterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../../proto/kafka/messages/34-alter-replica-log-dirs.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function alterReplicaLogDirs({ image, logDirectories, partition: partitionOf }: Ports) {
  const judge = (path: string, name: string, index: number): ErrorName => {
    const directory = logDirectories.at(path);
    if (directory === null) return 'LOG_DIR_NOT_FOUND';
    if (logDirectories.isFailed(directory)) return 'KAFKA_STORAGE_ERROR';
    const topic = image.topic(name);
    if (topic?.partitions[index] === undefined) return 'REPLICA_NOT_AVAILABLE';
    const here = partitionOf(topic.id, index);
    if (here !== null)
      return logDirectories.of(here.log) === directory ? 'NONE' : 'UNSUPPORTED_VERSION';
    logDirectories.want({ topicId: topic.id, partition: index }, directory);
    return 'REPLICA_NOT_AVAILABLE';
  };
  return api({
    key: 34,
    name: 'AlterReplicaLogDirs',
    request: alterReplicaLogDirsRequest,
    response: alterReplicaLogDirsResponse,
    handle: ({ dirs }) => ({
      results: dirs.flatMap(({ path, topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            errorCode: codeOf(judge(path, name, partitionIndex)),
          })),
        })),
      ),
    }),
    failed: ({ dirs }, error) => ({
      results: dirs.flatMap(({ topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            errorCode: codeOf(error),
          })),
        })),
      ),
    }),
  });
}
