/** DescribeLogDirs (35). What lies in each log directory, replica by replica; v4 tells the space. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../../proto/kafka/messages/35-describe-log-dirs.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function describeLogDirs({ logDirectories, partitions }: Ports) {
  /** Null where the directory failed. */
  const spaceOf = (directory: LogDirectory) => {
    let space: ReturnType<LogDirectory['space']> | null = null;
    logDirectories.failures.attempt(directory, () => {
      space = directory.space();
    });
    return space as ReturnType<LogDirectory['space']> | null;
  };
  return api({
    key: 35,
    name: 'DescribeLogDirs',
    request: describeLogDirsRequest,
    response: describeLogDirsResponse,
    handle({ topics }) {
      const wanted =
        topics === null
          ? null
          : new Set(topics.flatMap((of) => of.partitions.map((p) => `${of.topic}:${p}`)));
      const asked = [...partitions()].filter(
        ({ topic, partition }) => wanted === null || wanted.has(`${topic}:${partition}`),
      );
      const placed = Map.groupBy(asked, ({ log }) => logDirectories.of(log));
      const results = logDirectories.all.map((directory) => {
        const space = spaceOf(directory);
        const byTopic = Map.groupBy(placed.get(directory) ?? [], ({ topic }) => topic);
        return {
          errorCode: space === null ? codeOf('KAFKA_STORAGE_ERROR') : 0,
          logDir: directory.path,
          // Kafka says nothing more of a directory that failed.
          topics: [...(space === null ? [] : byTopic)].map(([name, replicas]) => ({
            name,
            partitions: replicas.map(({ partition, log, highWatermark, isLeader }) => ({
              partitionIndex: partition,
              partitionSize: log.byteCount,
              offsetLag: isLeader ? 0 : Math.max(highWatermark - log.endOffset, 0),
              isFutureKey: false,
            })),
          })),
          totalBytes: space?.totalBytes ?? -1,
          usableBytes: space?.freeBytes ?? -1,
          isCordoned: false,
        };
      });
      return { errorCode: 0, results };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), results: [] }),
  });
}
