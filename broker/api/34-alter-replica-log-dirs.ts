/** AlterReplicaLogDirs (34). A broker has one data folder: naming that one is fine, others do not exist. */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  alterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../../proto/kafka/messages/34-alter-replica-log-dirs.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function alterReplicaLogDirs({ image, logDirectory, partition: partitionOf }: Ports) {
  const judge = (path: string, name: string, index: number): ErrorName => {
    if (path !== logDirectory.path) return 'LOG_DIR_NOT_FOUND';
    const topic = image.topic(name);
    return topic === null || partitionOf(topic.id, index) === null
      ? 'REPLICA_NOT_AVAILABLE'
      : 'NONE';
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
