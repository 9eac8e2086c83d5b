/** DescribeLogDirs (35). What lies on this broker's disk, replica by replica; v4 tells the space. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../../proto/kafka/messages/35-describe-log-dirs.ts';
import type { Partition } from '../partition/partition.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function describeLogDirs({ logDirectory, partitions }: Ports) {
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
      const byTopic = new Map<string, Partition[]>();
      for (const replica of partitions()) {
        const { topic, partition } = replica;
        if (wanted !== null && !wanted.has(`${topic}:${partition}`)) continue;
        const known = byTopic.get(topic);
        if (known === undefined) byTopic.set(topic, [replica]);
        else known.push(replica);
      }
      const { totalBytes, freeBytes } = logDirectory.space();
      const directory = {
        errorCode: logDirectory.isFailed() ? codeOf('KAFKA_STORAGE_ERROR') : 0,
        logDir: logDirectory.path,
        topics: [...byTopic].map(([name, replicas]) => ({
          name,
          partitions: replicas.map(({ partition, log, highWatermark, isLeader }) => ({
            partitionIndex: partition,
            partitionSize: log.byteCount,
            offsetLag: isLeader ? 0 : Math.max(highWatermark - log.endOffset, 0),
            isFutureKey: false,
          })),
        })),
        totalBytes,
        usableBytes: freeBytes,
        isCordoned: false,
      };
      return { errorCode: 0, results: [directory] };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), results: [] }),
  });
}
