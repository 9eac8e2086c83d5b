/** OffsetForLeaderEpoch (23): where an epoch ends, so that a client can find where it parted (KIP-320). */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../../proto/kafka/messages/23-offset-for-leader-epoch.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { epochEnd } from './epoch-end.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function offsetForLeaderEpoch(ports: Ports) {
  const look = (
    topic: string,
    of: { partition: number; currentLeaderEpoch: number; leaderEpoch: number },
  ) => {
    const failed = (error: ErrorName) => ({ errorCode: codeOf(error), partition: of.partition });
    const known = ports.image.topic(topic);
    if (known?.partitions[of.partition] === undefined) return failed('UNKNOWN_TOPIC_OR_PARTITION');
    const partition = ports.partition(known.id, of.partition);
    if (partition === null || !partition.isLeader) return failed('NOT_LEADER_OR_FOLLOWER');
    if (of.currentLeaderEpoch >= 0 && of.currentLeaderEpoch < partition.leaderEpoch)
      return failed('FENCED_LEADER_EPOCH');
    if (of.currentLeaderEpoch > partition.leaderEpoch) return failed('UNKNOWN_LEADER_EPOCH');
    if (of.leaderEpoch > partition.leaderEpoch) return { errorCode: 0, partition: of.partition };
    const end = epochEnd(partition, of.leaderEpoch);
    return {
      errorCode: 0,
      partition: of.partition,
      leaderEpoch: end.epoch,
      endOffset: end.endOffset,
    };
  };
  return api({
    key: 23,
    name: 'OffsetForLeaderEpoch',
    request: offsetForLeaderEpochRequest,
    response: offsetForLeaderEpochResponse,
    async handle({ topics }, { connection }) {
      const pace = new Pace(ports.turn.share, connection);
      const found = await mapInTurns(pace, topics, async ({ topic, partitions }) => ({
        topic,
        partitions: await mapInTurns(pace, partitions, (of) => look(topic, of)),
      }));
      return { topics: found };
    },
    failed: ({ topics }, error) => ({
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ errorCode: codeOf(error), partition })),
      })),
    }),
  });
}
