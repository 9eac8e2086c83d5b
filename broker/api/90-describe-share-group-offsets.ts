/** DescribeShareGroupOffsets (90). Where share groups stand; v1 with their lag (KIP-1226). */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  describeShareGroupOffsetsRequest,
  describeShareGroupOffsetsResponse,
} from '../../proto/kafka/messages/90-describe-share-group-offsets.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import { INTERNAL_TOPICS, type Ports } from './ports.ts';
import { distinct } from './repeats.ts';

/** State of records that are still to be read. */
const AVAILABLE = 0;
const GROUPS_AT_ONCE = 10;

export function describeShareGroupOffsets(ports: Ports) {
  const { groups, image, shareStore } = ports;
  const describeOne = async (groupId: string, topicName: string, partitionIndex: number) => {
    const topic = image.topic(topicName);
    const failed = (error: ErrorName) => ({
      partitionIndex,
      startOffset: -1,
      errorCode: codeOf(error),
      errorMessage: null,
    });
    const line = topic?.partitions[partitionIndex];
    if (topic === null || line === undefined) return failed('UNKNOWN_TOPIC_OR_PARTITION');
    const key = { groupId, topicId: topic.id, partition: partitionIndex };
    const state = await shareStore.read(key, line.leaderEpoch);
    if (typeof state === 'string') return failed(state);
    const { batches, startOffset } = state;
    // As far as the replica on this broker knows; without one nothing is known.
    const replica = ports.partition(topic.id, partitionIndex);
    const done = batches
      .filter(({ deliveryState }) => deliveryState !== AVAILABLE)
      .reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0);
    const isKnown = replica !== null && startOffset >= 0;
    const lag = isKnown ? Math.max(replica.highWatermark - startOffset - done, 0) : -1;
    return { partitionIndex, startOffset, leaderEpoch: line.leaderEpoch, lag, errorCode: 0 };
  };
  const describe = async (
    groupId: string,
    asked: { topicName: string; partitions: number[] }[] | null,
  ) => {
    const group = groups.describeShare(groupId);
    if (typeof group === 'string') return { groupId, errorCode: codeOf(group) };
    if (group === null) return { groupId, errorCode: codeOf('GROUP_ID_NOT_FOUND') };
    const all = image
      .topics()
      .filter(({ name }) => !INTERNAL_TOPICS.has(name))
      .map(({ name, partitions }) => ({ topicName: name, partitions: [...partitions.keys()] }));
    const topics = await Promise.all(
      (asked ?? all).map(async ({ topicName, partitions }) => ({
        topicName,
        topicId: image.topic(topicName)?.id ?? ZERO_UUID,
        partitions: await Promise.all(partitions.map((p) => describeOne(groupId, topicName, p))),
      })),
    );
    // Who asks for everything wants to hear of what the group has read.
    const known = topics
      .map((topic) => ({
        ...topic,
        partitions: topic.partitions.filter((of) => asked !== null || of.startOffset >= 0),
      }))
      .filter(({ partitions }) => partitions.length > 0);
    return { groupId, errorCode: 0, topics: known };
  };
  return api({
    key: 90,
    name: 'DescribeShareGroupOffsets',
    request: describeShareGroupOffsetsRequest,
    response: describeShareGroupOffsetsResponse,
    async handle(request, { connection }) {
      const pace = new Pace(ports.turn.share, connection);
      return {
        groups: await mapSomeAtOnce(
          pace,
          await distinct(pace, request.groups, ({ groupId }) => groupId),
          GROUPS_AT_ONCE,
          ({ groupId, topics }) => describe(groupId, topics),
        ),
      };
    },
    failed: (request, error) => ({
      groups: request.groups.map(({ groupId }) => ({ groupId, errorCode: codeOf(error) })),
    }),
  });
}
