/** What both systems are asked: Groups of both protocols. */
import { ZERO_UUID } from '../../../proto/kafka/cursor.ts';
import { ask, type Context, idOf, offsets, type RequestOf, soft, sorted, span } from './steps.ts';

export function askGroups(): void {
  const group = 'g';
  const member = (c: Context) => (c.known.get('member') as string | undefined) ?? '';
  ask(
    'coordinator of a group',
    'FindCoordinator',
    { key: group, keyType: 0, coordinatorKeys: [group] },
    {
      always: true,
      versions: span(0, 6),
      retry: ({ errorCode, coordinators }) =>
        soft.has(errorCode) || coordinators.some((one) => soft.has(one.errorCode)),
    },
  );
  ask(
    'coordinator of nothing',
    'FindCoordinator',
    { key: '', keyType: 0, coordinatorKeys: [''] },
    { versions: [3, 4] },
  );
  ask(
    'coordinator of what',
    'FindCoordinator',
    { key: group, keyType: 9, coordinatorKeys: [group] },
    { versions: [3, 4] },
  );
  const joining = (c: Context, over: object = {}) =>
    ({
      groupId: group,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: member(c),
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }],
      reason: null,
      ...over,
    }) as RequestOf<'JoinGroup'>;
  ask('join: without a group', 'JoinGroup', (c) => joining(c, { groupId: '' }));
  ask('join: a short session', 'JoinGroup', (c) => joining(c, { sessionTimeoutMs: 1 }));
  ask('join: an unknown member', 'JoinGroup', (c) => joining(c, { memberId: 'who' }), {
    retry: ({ errorCode }) => soft.has(errorCode),
  });
  ask('join: no protocols', 'JoinGroup', (c) => joining(c, { protocols: [] }));
  ask('join: no type', 'JoinGroup', (c) => joining(c, { protocolType: '' }));
  ask('join: told an id', 'JoinGroup', (c) => joining(c, { memberId: '' }), {
    always: true,
    retry: ({ errorCode }) => soft.has(errorCode),
    keep: ({ memberId }, c) => c.known.set('member', memberId as never),
  });
  ask('join', 'JoinGroup', (c) => joining(c), {
    always: true,
    show: ({ members, ...rest }) => ({ ...rest, members: members.length }),
  });
  ask('heartbeat: before the sync', 'Heartbeat', (c) => ({
    groupId: group,
    generationId: 1,
    memberId: member(c),
    groupInstanceId: null,
  }));
  ask(
    'commit: before the sync',
    'OffsetCommit',
    (c) => ({
      groupId: group,
      generationIdOrMemberEpoch: 1,
      memberId: member(c),
      topics: [
        {
          name: 't',
          topicId: idOf(c, 't'),
          partitions: [{ partitionIndex: 0, committedOffset: 1 }],
        },
      ],
    }),
    { versions: [8] },
  );
  ask('sync: another generation', 'SyncGroup', (c) => ({
    groupId: group,
    generationId: 9,
    memberId: member(c),
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [],
  }));
  ask('sync: another protocol', 'SyncGroup', (c) => ({
    groupId: group,
    generationId: 1,
    memberId: member(c),
    protocolType: 'connect',
    protocolName: 'range',
    assignments: [],
  }));
  ask(
    'sync',
    'SyncGroup',
    (c) => ({
      groupId: group,
      generationId: 1,
      memberId: member(c),
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId: member(c), assignment: Buffer.from('mine') }],
    }),
    { always: true },
  );
  ask(
    'heartbeat',
    'Heartbeat',
    (c) => ({ groupId: group, generationId: 1, memberId: member(c), groupInstanceId: null }),
    { versions: span(0, 4) },
  );
  ask('heartbeat: another generation', 'Heartbeat', (c) => ({
    groupId: group,
    generationId: 3,
    memberId: member(c),
    groupInstanceId: null,
  }));
  ask('heartbeat: somebody else', 'Heartbeat', {
    groupId: group,
    generationId: 1,
    memberId: 'else',
    groupInstanceId: null,
  });
  ask('heartbeat: another group', 'Heartbeat', {
    groupId: 'other',
    generationId: 1,
    memberId: 'else',
    groupInstanceId: null,
  });
  ask('heartbeat: no group', 'Heartbeat', {
    groupId: '',
    generationId: 1,
    memberId: 'else',
    groupInstanceId: null,
  });
  const commit = (c: Context, over: object = {}, partition: object = {}) =>
    ({
      groupId: group,
      generationIdOrMemberEpoch: 1,
      memberId: member(c),
      groupInstanceId: null,
      topics: [
        {
          name: 't',
          topicId: idOf(c, 't'),
          partitions: [
            {
              partitionIndex: 0,
              committedOffset: 5,
              committedLeaderEpoch: -1,
              committedMetadata: 'm',
              ...partition,
            },
          ],
        },
      ],
      ...over,
    }) as RequestOf<'OffsetCommit'>;
  ask('commit', 'OffsetCommit', (c) => commit(c), { versions: span(2, 10) });
  ask('commit: another generation', 'OffsetCommit', (c) =>
    commit(c, { generationIdOrMemberEpoch: 9 }),
  );
  ask('commit: a stranger', 'OffsetCommit', (c) => commit(c, { memberId: 'else' }));
  ask('commit: nobody', 'OffsetCommit', (c) =>
    commit(c, { memberId: '', generationIdOrMemberEpoch: -1 }),
  );
  ask('commit: an unknown partition', 'OffsetCommit', (c) => commit(c, {}, { partitionIndex: 9 }));
  ask('commit: much metadata', 'OffsetCommit', (c) =>
    commit(c, {}, { committedMetadata: 'x'.repeat(5000) }),
  );
  ask(
    'commit: an unknown topic',
    'OffsetCommit',
    (c) =>
      commit(c, {
        topics: [
          {
            name: 'nope',
            topicId: ZERO_UUID,
            partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
          },
        ],
      }),
    { versions: [9, 10] },
  );
  ask(
    'commit: a group without members',
    'OffsetCommit',
    (c) => commit(c, { groupId: 'simple', memberId: '', generationIdOrMemberEpoch: -1 }),
    { always: true },
  );
  ask('commit: no group', 'OffsetCommit', (c) =>
    commit(c, { groupId: '', memberId: '', generationIdOrMemberEpoch: -1 }),
  );
  ask('offsets', 'OffsetFetch', (c) => offsets(c, group, [0, 1]), { versions: span(1, 10) });
  ask('all offsets', 'OffsetFetch', (c) => offsets(c, group, null), { versions: span(2, 10) });
  ask('offsets of an unknown group', 'OffsetFetch', (c) => offsets(c, 'unknown', [0]), {
    versions: [5, 9],
  });
  ask(
    'groups',
    'ListGroups',
    { statesFilter: [], typesFilter: [] },
    { versions: span(0, 5), show: ({ groups }) => sorted(groups, ({ groupId }) => groupId) },
  );
  ask(
    'groups that are stable',
    'ListGroups',
    { statesFilter: ['stable'], typesFilter: ['Classic'] },
    { show: ({ groups }) => groups },
  );
  ask('groups of a type that is none', 'ListGroups', { statesFilter: [], typesFilter: ['odd'] });
  ask(
    'a group described',
    'DescribeGroups',
    { groups: [group, 'simple', 'unknown'] },
    {
      versions: span(0, 6),
      show: ({ groups }) =>
        groups.map(({ members, ...rest }) => ({
          ...rest,
          members: members.map(({ memberMetadata, memberAssignment, groupInstanceId }) => ({
            memberMetadata,
            memberAssignment,
            groupInstanceId,
          })),
        })),
    },
  );
  ask(
    'delete a group that lives',
    'DeleteGroups',
    { groupsNames: [group, 'unknown'] },
    { show: ({ results }) => sorted(results, ({ groupId }) => groupId) },
  );
  ask(
    'delete single offsets',
    'OffsetDelete',
    {
      groupId: 'simple',
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] },
        { name: 'nope', partitions: [{ partitionIndex: 0 }] },
      ],
    },
    {
      show: ({ errorCode, topics }) => ({ errorCode, topics: sorted(topics, ({ name }) => name) }),
    },
  );
  ask('delete offsets of an unknown group', 'OffsetDelete', { groupId: 'unknown', topics: [] });
  ask(
    'leave: a stranger',
    'LeaveGroup',
    { groupId: group, memberId: 'else', members: [{ memberId: 'else', groupInstanceId: null }] },
    { versions: [2, 5] },
  );
  ask(
    'leave',
    'LeaveGroup',
    (c) => ({
      groupId: group,
      memberId: member(c),
      members: [{ memberId: member(c), groupInstanceId: null }],
    }),
    { always: true },
  );
  ask(
    'leave: another group',
    'LeaveGroup',
    { groupId: 'other', memberId: 'else', members: [{ memberId: 'else', groupInstanceId: null }] },
    { versions: [2, 5] },
  );
  ask('delete a group', 'DeleteGroups', { groupsNames: [group] });

  const beat = (over: object = {}) =>
    ({
      groupId: 'next',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 10_000,
      subscribedTopicNames: ['t'],
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: [],
      ...over,
    }) as RequestOf<'ConsumerGroupHeartbeat'>;
  ask('beat: no group', 'ConsumerGroupHeartbeat', beat({ groupId: '' }));
  ask('beat: no member', 'ConsumerGroupHeartbeat', beat({ memberId: '' }));
  ask('beat: no topics', 'ConsumerGroupHeartbeat', beat({ subscribedTopicNames: null }));
  ask(
    'beat: an empty list of topics',
    'ConsumerGroupHeartbeat',
    beat({ groupId: 'empty-list', subscribedTopicNames: [] }),
  );
  ask('beat: no timeout', 'ConsumerGroupHeartbeat', beat({ rebalanceTimeoutMs: -1 }));
  ask('beat: owning already', 'ConsumerGroupHeartbeat', (c) =>
    beat({ topicPartitions: [{ topicId: idOf(c, 't'), partitions: [0] }] }),
  );
  ask('beat: an unknown assignor', 'ConsumerGroupHeartbeat', beat({ serverAssignor: 'none' }));
  ask(
    'beat: a bad pattern',
    'ConsumerGroupHeartbeat',
    beat({ groupId: 'pattern', subscribedTopicNames: null, subscribedTopicRegex: '(' }),
  );
  ask('beat: an unknown group', 'ConsumerGroupHeartbeat', beat({ memberEpoch: 3 }));
  ask('beat: join', 'ConsumerGroupHeartbeat', beat(), { always: true });
  ask(
    'beat',
    'ConsumerGroupHeartbeat',
    beat({
      memberEpoch: 1,
      topicPartitions: null,
      subscribedTopicNames: null,
      rebalanceTimeoutMs: -1,
    }),
  );
  ask(
    'beat: a newer epoch',
    'ConsumerGroupHeartbeat',
    beat({ memberEpoch: 7, topicPartitions: null }),
  );
  ask('beat: a stranger', 'ConsumerGroupHeartbeat', beat({ memberId: 'who', memberEpoch: 1 }));
  ask('beat: static leave of a dynamic one', 'ConsumerGroupHeartbeat', beat({ memberEpoch: -2 }));
  ask(
    'consumer groups described',
    'ConsumerGroupDescribe',
    { groupIds: ['next', 'simple', 'unknown'] },
    {
      show: ({ groups }) =>
        groups.map(({ members, ...rest }) => ({ ...rest, members: members.length })),
    },
  );
  ask(
    'a consumer group described the old way',
    'DescribeGroups',
    { groups: ['next'] },
    {
      versions: [5, 6],
      show: ({ groups }) =>
        groups.map(({ errorCode, groupState, members }) => ({
          errorCode,
          groupState,
          members: members.length,
        })),
    },
  );
  ask(
    'commit in a consumer group',
    'OffsetCommit',
    (c) =>
      commit(c, {
        groupId: 'next',
        memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
        generationIdOrMemberEpoch: 1,
      }),
    { versions: [7, 8, 9, 10] },
  );
  ask(
    'commit in a consumer group: a stranger',
    'OffsetCommit',
    (c) => commit(c, { groupId: 'next', memberId: 'who', generationIdOrMemberEpoch: 1 }),
    { versions: [8, 9] },
  );
  ask('commit in a consumer group: stale', 'OffsetCommit', (c) =>
    commit(c, {
      groupId: 'next',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      generationIdOrMemberEpoch: 0,
    }),
  );
  ask('classic join of a consumer group', 'JoinGroup', (c) =>
    joining(c, { groupId: 'next', memberId: '', protocolType: 'connect' }),
  );
  ask('beat: leave', 'ConsumerGroupHeartbeat', beat({ memberEpoch: -1, topicPartitions: null }), {
    always: true,
  });

  // ---- share groups ----------------------------------------------------------------------------
  const share = (over: object = {}) =>
    ({
      groupId: 'shared',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      memberEpoch: 0,
      rackId: null,
      subscribedTopicNames: ['t'],
      ...over,
    }) as RequestOf<'ShareGroupHeartbeat'>;
  ask('share: no group', 'ShareGroupHeartbeat', share({ groupId: '' }));
  ask('share: no member', 'ShareGroupHeartbeat', share({ memberId: '' }));
  ask('share: no topics', 'ShareGroupHeartbeat', share({ subscribedTopicNames: null }));
  ask('share: an unknown group', 'ShareGroupHeartbeat', share({ memberEpoch: 3 }));
  ask('share: a consumer group', 'ShareGroupHeartbeat', share({ groupId: 'next' }));
  ask('share: an odd epoch', 'ShareGroupHeartbeat', share({ memberEpoch: -5 }));
  ask('share: join', 'ShareGroupHeartbeat', share(), {
    always: true,
    show: ({ errorCode, memberEpoch, heartbeatIntervalMs }) => ({
      errorCode,
      memberEpoch,
      heartbeatIntervalMs,
    }),
  });
  ask('share: a stranger', 'ShareGroupHeartbeat', share({ memberId: 'who', memberEpoch: 1 }));
  ask('share: a newer epoch', 'ShareGroupHeartbeat', share({ memberEpoch: 9 }));
  ask(
    'share groups described',
    'ShareGroupDescribe',
    { groupIds: ['shared', 'next', 'unknown'] },
    {
      show: ({ groups }) =>
        groups.map(({ errorCode, groupState, assignorName, members }) => ({
          errorCode,
          groupState,
          assignorName,
          members: members.length,
        })),
    },
  );
  ask('share fetch: an unknown session', 'ShareFetch', {
    groupId: 'shared',
    memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    shareSessionEpoch: 5,
    maxRecords: 10,
    batchSize: 10,
  });
  ask('share ack: before any fetch', 'ShareAcknowledge', {
    groupId: 'shared',
    memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    shareSessionEpoch: 0,
  });
  ask('share ack: an unknown session', 'ShareAcknowledge', {
    groupId: 'shared',
    memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    shareSessionEpoch: 3,
  });
  ask('share: leave', 'ShareGroupHeartbeat', share({ memberEpoch: -1 }), { always: true });

  // A group that nobody has heard of is made by whoever says where it is to begin.
  const moved = (groupId: string, over: object = {}) =>
    ({
      groupId,
      topics: [{ topicName: 't', partitions: [{ partitionIndex: 0, startOffset: 1 }], ...over }],
    }) as RequestOf<'AlterShareGroupOffsets'>;
  ask('share offsets moved: a new group', 'AlterShareGroupOffsets', moved('early'), {
    retry: ({ errorCode, responses }) =>
      soft.has(errorCode) ||
      responses.some(({ partitions }) => partitions.some((one) => soft.has(one.errorCode))),
    show: ({ errorCode, responses }) => [
      errorCode,
      responses.flatMap(({ partitions }) => partitions.map((one) => one.errorCode)),
    ],
  });
  ask('share offsets moved: no name', 'AlterShareGroupOffsets', moved(''), {
    show: ({ errorCode }) => errorCode,
  });
  ask('share offsets moved: a consumer group', 'AlterShareGroupOffsets', moved('next'), {
    show: ({ errorCode }) => errorCode,
  });
  ask(
    'share offsets moved: an unknown topic',
    'AlterShareGroupOffsets',
    moved('early', { topicName: 'nowhere' }),
    {
      show: ({ errorCode, responses }) => [
        errorCode,
        responses.flatMap(({ partitions }) => partitions.map((one) => one.errorCode)),
      ],
    },
  );
  ask(
    'share offsets moved: the group described',
    'ShareGroupDescribe',
    { groupIds: ['early'] },
    {
      show: ({ groups }) =>
        groups.map(({ errorCode, groupState, groupEpoch, members }) => ({
          errorCode,
          groupState,
          groupEpoch,
          members: members.length,
        })),
    },
  );
  ask(
    'share offsets moved: where it begins',
    'DescribeShareGroupOffsets',
    { groups: [{ groupId: 'early', topics: [{ topicName: 't', partitions: [0] }] }] },
    {
      show: ({ groups }) =>
        groups.map(({ errorCode, topics }) => [
          errorCode,
          topics.flatMap(({ partitions }) =>
            partitions.map((one) => [one.errorCode, one.startOffset]),
          ),
        ]),
    },
  );
}
