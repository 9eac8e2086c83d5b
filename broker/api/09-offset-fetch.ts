/** OffsetFetch (9). v2 null topics means all; v8 several groups at once; v10 topic ids. */
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  offsetFetchRequest,
  offsetFetchResponse,
} from '../../proto/kafka/messages/09-offset-fetch.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

interface Asked {
  readonly name: string;
  readonly topicId: string;
  readonly partitionIndexes: readonly number[];
}

export function offsetFetch(ports: Ports) {
  const { image, groups } = ports;

  const fetchGroup = async (
    pace: Pace,
    groupId: string,
    topics: readonly Asked[] | null,
    of: { byId: boolean; stable: boolean; memberId: string | null; memberEpoch: number },
  ) => {
    const { byId, stable } = of;
    const offsets = groups.offsets(groupId);
    if (typeof offsets === 'string') return { groupId, topics: [], errorCode: codeOf(offsets) };
    const fault = groups.judgeOffsetFetch(groupId, of.memberId, of.memberEpoch);
    if (fault !== 'NONE') return { groupId, topics: [], errorCode: codeOf(fault) };
    const wanted = topics ?? allOf(offsets.all(groupId));
    return {
      groupId,
      errorCode: 0,
      topics: await mapInTurns(pace, wanted, async ({ name, topicId, partitionIndexes }) => {
        const known = byId && topics !== null ? image.topicById(topicId) : image.topic(name);
        const topic = known?.name ?? name;
        const unknown = byId && known === null;
        return {
          name: topic,
          topicId: known?.id ?? topicId,
          partitions: await mapInTurns(pace, partitionIndexes, (partitionIndex) => {
            const found = unknown ? null : offsets.get(groupId, topic, partitionIndex);
            // An open transaction may still move it (KIP-447).
            if (stable && offsets.isUnstable(groupId, topic, partitionIndex))
              return unstable(partitionIndex);
            return {
              partitionIndex,
              committedOffset: found?.offset ?? -1,
              committedLeaderEpoch: found?.leaderEpoch ?? -1,
              metadata: found?.metadata ?? '',
              errorCode: unknown ? codeOf('UNKNOWN_TOPIC_ID') : 0,
            };
          }),
        };
      }),
    };
  };

  return api({
    key: 9,
    name: 'OffsetFetch',
    request: offsetFetchRequest,
    response: offsetFetchResponse,
    async handle(request, { apiVersion, connection }) {
      const pace = new Pace(ports.turn.share, connection);
      if (apiVersion >= 8) {
        return {
          groups: await mapInTurns(pace, request.groups, (of) =>
            fetchGroup(pace, of.groupId, of.topics, {
              byId: apiVersion >= 10,
              stable: request.requireStable,
              memberId: of.memberId,
              memberEpoch: of.memberEpoch,
            }),
          ),
        };
      }
      const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
      const { errorCode, topics: found } = await fetchGroup(pace, request.groupId, topics, {
        byId: false,
        stable: request.requireStable,
        memberId: null,
        memberEpoch: -1,
      });
      if (errorCode === 0 || apiVersion >= 2) return { errorCode, topics: found };
      // v1 has no error of its own: every partition carries it.
      return {
        topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: -1,
            metadata: '',
            errorCode,
          })),
        })),
      };
    },
    failed: (request, error, apiVersion) =>
      apiVersion >= 8
        ? {
            groups: request.groups.map(({ groupId }) => ({
              groupId,
              errorCode: codeOf(error),
              topics: [],
            })),
          }
        : { errorCode: codeOf(error), topics: [] },
  });
}

const unstable = (partitionIndex: number) => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode: codeOf('UNSTABLE_OFFSET_COMMIT'),
});

/** Every partition that a group has an offset for, by topic. */
function allOf(offsets: Iterable<{ topic: string; partition: number }>): Asked[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of offsets) {
    const known = topics.get(topic);
    if (known === undefined) topics.set(topic, [partition]);
    else known.push(partition);
  }
  return [...topics].map(([name, partitionIndexes]) => ({
    name,
    topicId: ZERO_UUID,
    partitionIndexes,
  }));
}
