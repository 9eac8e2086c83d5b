/** What both systems are asked: streams groups (KIP-1071). */
import { ask, type Context, idOf, type RequestOf, soft, sorted } from './steps.ts';

type Topology = NonNullable<RequestOf<'StreamsGroupHeartbeat'>['topology']>;

/** Counts words: a repartition topic in between, a store with its changelog after it. */
const topology = (source: string, prefix: string): Topology => ({
  epoch: 1,
  subtopologies: [
    {
      subtopologyId: '0',
      sourceTopics: [source],
      repartitionSinkTopics: [`${prefix}-repartition`],
    },
    {
      subtopologyId: '1',
      repartitionSourceTopics: [
        {
          name: `${prefix}-repartition`,
          topicConfigs: [{ key: 'segment.bytes', value: '1048576' }],
        },
      ],
      stateChangelogTopics: [
        {
          name: `${prefix}-changelog`,
          replicationFactor: 1,
          topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }],
        },
      ],
    },
  ],
});

export function askStreams(): void {
  const beat = (over: object = {}) =>
    ({
      groupId: 'app',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      memberEpoch: 0,
      endpointInformationEpoch: -1,
      rebalanceTimeoutMs: 10_000,
      topology: topology('t', 'app'),
      activeTasks: [],
      standbyTasks: [],
      warmupTasks: [],
      processId: 'p1',
      clientTags: [],
      ...over,
    }) as RequestOf<'StreamsGroupHeartbeat'>;
  const later = (over: object = {}) =>
    beat({
      topology: null,
      activeTasks: null,
      standbyTasks: null,
      warmupTasks: null,
      processId: null,
      clientTags: null,
      rebalanceTimeoutMs: -1,
      ...over,
    });
  ask('streams: no group', 'StreamsGroupHeartbeat', beat({ groupId: '' }));
  ask('streams: no member', 'StreamsGroupHeartbeat', beat({ memberId: '' }));
  ask('streams: no topology', 'StreamsGroupHeartbeat', beat({ topology: null }));
  ask('streams: no timeout', 'StreamsGroupHeartbeat', beat({ rebalanceTimeoutMs: -1 }));
  ask(
    'streams: no process',
    'StreamsGroupHeartbeat',
    beat({ groupId: 'no-process', processId: null, topology: topology('t', 'other') }),
  );
  ask('streams: an empty rack', 'StreamsGroupHeartbeat', beat({ rackId: '' }));
  ask(
    'streams: owning already',
    'StreamsGroupHeartbeat',
    beat({ activeTasks: [{ subtopologyId: '0', partitions: [0] }] }),
  );
  ask('streams: an unknown group', 'StreamsGroupHeartbeat', later({ memberEpoch: 3 }));
  ask('streams: an odd epoch', 'StreamsGroupHeartbeat', later({ memberEpoch: -5 }));
  ask(
    'streams: static leave of a dynamic one',
    'StreamsGroupHeartbeat',
    later({ memberEpoch: -2 }),
  );
  ask(
    'streams: a classic group',
    'StreamsGroupHeartbeat',
    beat({ groupId: 'simple', topology: topology('t', 'third') }),
  );
  ask('streams: a share group', 'StreamsGroupHeartbeat', beat({ groupId: 'shared' }));
  ask(
    'streams: missing sources',
    'StreamsGroupHeartbeat',
    beat({ groupId: 'lost', topology: topology('not-there', 'lost') }),
    { versions: [0, 1] },
  );
  ask('streams: missing sources, described', 'StreamsGroupDescribe', { groupIds: ['lost'] });
  ask(
    'streams: nothing to read',
    'StreamsGroupHeartbeat',
    beat({ groupId: 'bad', topology: { epoch: 0, subtopologies: [{ subtopologyId: '0' }] } }),
  );
  // The first answer tells that internal topics are missing, and makes them.
  ask('streams: join', 'StreamsGroupHeartbeat', beat(), {
    always: true,
    keep: ({ memberEpoch }, c) => c.known.set('streams epoch', memberEpoch),
  });
  const epoch = (c: Context) => c.known.get('streams epoch') as number;
  ask(
    'streams: again, until the internal topics are there',
    'StreamsGroupHeartbeat',
    (c) => later({ memberEpoch: epoch(c) }),
    {
      always: true,
      retry: ({ errorCode, status }) =>
        soft.has(errorCode) || (status ?? []).some(({ statusCode }) => statusCode === 3),
      keep: ({ memberEpoch }, c) => c.known.set('streams epoch', memberEpoch),
      show: ({ errorCode, status }) => ({
        errorCode,
        status: (status ?? []).map((s) => s.statusCode),
      }),
    },
  );
  ask(
    'streams: until tasks are assigned',
    'StreamsGroupHeartbeat',
    (c) => later({ memberEpoch: epoch(c) }),
    {
      always: true,
      retry: ({ activeTasks, errorCode }) => errorCode !== 0 || (activeTasks ?? []).length === 0,
      keep: ({ memberEpoch }, c) => c.known.set('streams epoch', memberEpoch),
    },
  );
  const owned = [
    { subtopologyId: '0', partitions: [0, 1] },
    { subtopologyId: '1', partitions: [0, 1] },
  ];
  ask('streams: with tasks', 'StreamsGroupHeartbeat', (c) =>
    later({ memberEpoch: epoch(c), activeTasks: owned, standbyTasks: [], warmupTasks: [] }),
  );
  ask('streams: a task that is not there', 'StreamsGroupHeartbeat', (c) =>
    later({
      memberEpoch: epoch(c),
      activeTasks: [{ subtopologyId: '7', partitions: [0] }],
      standbyTasks: [],
      warmupTasks: [],
    }),
  );
  ask('streams: a topology while running', 'StreamsGroupHeartbeat', (c) =>
    later({ memberEpoch: epoch(c), topology: topology('t', 'app') }),
  );
  ask('streams: another topology', 'StreamsGroupHeartbeat', beat({ topology: topology('t', 'x') }));
  ask('streams: a stranger', 'StreamsGroupHeartbeat', later({ memberId: 'who', memberEpoch: 1 }));
  ask('streams: a newer epoch', 'StreamsGroupHeartbeat', later({ memberEpoch: 99 }));
  ask(
    'streams groups described',
    'StreamsGroupDescribe',
    { groupIds: ['app', 'next', 'unknown'], includeTopologyDescription: true },
    { versions: [0, 1], show: ({ groups }) => sorted(groups, ({ groupId }) => groupId) },
  );
  ask(
    'a streams group described the old way',
    'DescribeGroups',
    { groups: ['app'] },
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
    'streams groups listed',
    'ListGroups',
    { typesFilter: ['streams'] },
    {
      show: ({ groups }) =>
        groups
          .map(({ groupId, groupState, groupType }) => `${groupId} ${groupState} ${groupType}`)
          .sort(),
    },
  );
  const commit = (c: Context, memberId: string, memberEpoch: number) =>
    ({
      groupId: 'app',
      memberId,
      generationIdOrMemberEpoch: memberEpoch,
      topics: [
        {
          name: 't',
          topicId: idOf(c, 't'),
          partitions: [{ partitionIndex: 0, committedOffset: 1 }],
        },
      ],
    }) as RequestOf<'OffsetCommit'>;
  ask(
    'commit in a streams group',
    'OffsetCommit',
    (c) => commit(c, 'AAAAAAAAAAAAAAAAAAAAAQ', epoch(c)),
    {
      versions: [8, 9, 10],
    },
  );
  ask('commit in a streams group: a stranger', 'OffsetCommit', (c) => commit(c, 'who', 1));
  ask('commit in a streams group: nobody', 'OffsetCommit', (c) => commit(c, '', -1));
  ask('delete a streams group that lives', 'DeleteGroups', { groupsNames: ['app'] });
  ask('describe the topology', 'StreamsGroupTopologyDescriptionUpdate', {
    groupId: 'app',
    memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    topologyEpoch: 1,
  });
  ask('streams: shut down', 'StreamsGroupHeartbeat', (c) =>
    later({ memberEpoch: epoch(c), shutdownApplication: true }),
  );
  ask('streams: leave', 'StreamsGroupHeartbeat', later({ memberEpoch: -1 }), { always: true });
  ask('an empty streams group described', 'StreamsGroupDescribe', { groupIds: ['app'] });
  ask('delete offsets of a streams group', 'OffsetDelete', {
    groupId: 'app',
    topics: [{ name: 't', partitions: [{ partitionIndex: 0 }] }],
  });
  ask('delete a streams group', 'DeleteGroups', { groupsNames: ['app'] });
  ask('a deleted streams group described', 'StreamsGroupDescribe', { groupIds: ['app'] });
}
