/** StreamsGroupDescribe (89). v1: the assignor, and whether a description of the topology is kept. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  streamsGroupDescribeRequest,
  streamsGroupDescribeResponse,
} from '../../proto/kafka/messages/89-streams-group-describe.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { type Assignment, NOTHING } from '../coordinator/assignment.ts';
import { type StreamsGroup, streamsStateOf } from '../coordinator/streams-group.ts';
import { listsOf } from '../coordinator/streams-tasks.ts';
import type { InternalTopic } from '../coordinator/streams-topology-core.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

/** No description was asked for; none is kept. */
const NOT_REQUESTED = 0;
const NOT_STORED = 1;

function tasks(assignment: Assignment) {
  const { active, standby, warmup } = listsOf(assignment);
  return { activeTasks: active, standbyTasks: standby, warmupTasks: warmup };
}

const shownTopics = (topics: readonly InternalTopic[]) =>
  topics.map((topic) => ({ ...topic, topicConfigs: [...topic.topicConfigs] }));

/** Patterns and partitions are worked out where the topics fit; else it is what members said. */
function topologyOf({ configured, topology }: StreamsGroup) {
  if (topology === null) return null;
  const isReady = configured !== null && configured.problem === null;
  const subtopologies = isReady ? configured.subtopologies : topology.subtopologies;
  return {
    epoch: topology.epoch,
    subtopologies: subtopologies.map((of) => ({
      subtopologyId: of.subtopologyId,
      sourceTopics: [...of.sourceTopics],
      repartitionSinkTopics: [...of.repartitionSinkTopics],
      stateChangelogTopics: shownTopics(of.stateChangelogTopics),
      repartitionSourceTopics: shownTopics(of.repartitionSourceTopics),
    })),
  };
}

export function streamsGroupDescribe({ groups, turn }: Ports) {
  const describe = (groupId: string, includeDescription: boolean) => {
    const group = groups.describeStreams(groupId);
    if (typeof group === 'string') return { errorCode: codeOf(group), groupId };
    if (group === null) {
      const errorMessage = `group ${groupId} is no streams group`;
      return { errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage, groupId };
    }
    return {
      errorCode: 0,
      groupId,
      groupState: streamsStateOf(group),
      groupEpoch: group.epoch,
      assignmentEpoch: group.assignmentEpoch,
      topology: topologyOf(group),
      members: [...group.members.values()].map((member) => {
        const { info, progress, taskEndOffsets, taskOffsets } = member;
        return {
          memberId: info.memberId,
          memberEpoch: progress.epoch,
          instanceId: info.instanceId,
          rackId: info.rackId,
          clientId: info.clientId,
          clientHost: info.clientHost,
          topologyEpoch: info.topologyEpoch,
          processId: info.processId,
          userEndpoint: info.userEndpoint,
          clientTags: [...info.clientTags],
          taskOffsets: [...taskOffsets],
          taskEndOffsets: [...taskEndOffsets],
          assignment: tasks(progress.assigned),
          targetAssignment: tasks(group.target.get(info.memberId) ?? NOTHING),
        };
      }),
      topologyDescriptionStatus: includeDescription ? NOT_STORED : NOT_REQUESTED,
      assignorName: 'sticky',
    };
  };
  return api({
    key: 89,
    name: 'StreamsGroupDescribe',
    request: streamsGroupDescribeRequest,
    response: streamsGroupDescribeResponse,
    handle: async ({ groupIds, includeTopologyDescription }, { connection }) => ({
      groups: await mapInTurns(new Pace(turn.share, connection), new Set(groupIds), (groupId) =>
        describe(groupId, includeTopologyDescription),
      ),
    }),
    failed: ({ groupIds }, error) => ({
      groups: groupIds.map((groupId) => ({ errorCode: codeOf(error), groupId })),
    }),
  });
}
