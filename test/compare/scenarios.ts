/** What both systems are asked, in order; a step may remember something for later ones. */
import type { BrokerConnection } from '../../client/connection.ts';
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import type { ApiName, apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch, CONTROL_BIT, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import type { Message, Partially } from '../../proto/kafka/schema.ts';

export interface Context {
  /** What earlier steps remembered of this system: topic ids, member ids, producers. */
  readonly known: Map<string, any>;
  connection(): Promise<BrokerConnection>;
  /** The connection is gone: the next request opens another. */
  drop(): void;
}

type RequestOf<A extends ApiName> =
  (typeof apis)[A]['request'] extends Message<infer T> ? Partially<T> : never;
type ResponseOf<A extends ApiName> =
  (typeof apis)[A]['response'] extends Message<infer T> ? T : never;

export interface Step {
  readonly name: string;
  readonly api: ApiName;
  /** The newest version where nothing is said. */
  readonly versions?: readonly number[];
  readonly body: object | ((context: Context) => object);
  readonly retry?: (answer: never) => boolean;
  readonly keep?: (answer: never, context: Context) => void;
  /** The part of the answer that is compared. */
  readonly show?: (answer: never) => unknown;
  /** Later steps need it. */
  readonly always?: boolean;
}

const steps: Step[] = [];
function ask<A extends ApiName>(
  name: string,
  api: A,
  body: RequestOf<A> | ((context: Context) => RequestOf<A>),
  more: {
    versions?: readonly number[];
    retry?: (answer: ResponseOf<A>) => boolean;
    keep?: (answer: ResponseOf<A>, context: Context) => void;
    show?: (answer: ResponseOf<A>) => unknown;
    always?: boolean;
  } = {},
): void {
  steps.push({ name, api, body, ...more } as Step);
}

const span = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const sorted = <T>(list: readonly T[], key: (item: T) => string | number): T[] =>
  [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1));
const idOf = (context: Context, topic: string) =>
  (context.known.get(`id:${topic}`) as string | undefined) ?? ZERO_UUID;
const soft = new Set([14, 15, 16, 5, 3, 51, 13]);

const NOW = Date.now();
const records = (count: number, more: Parameters<typeof buildBatch>[1] | object = {}) =>
  buildBatch(
    Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`k${i}`),
      value: Buffer.from(`v${i}`),
    })),
    { timestampMs: NOW, ...more },
  );
const produceTo =
  (topic: string, batch: Buffer | null, more: object = {}) =>
  (context: Context) =>
    ({
      transactionalId: null,
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          topicId: idOf(context, topic),
          name: topic,
          partitionData: [{ index: 0, records: batch as never }],
        },
      ],
      ...more,
    }) as RequestOf<'Produce'>;

export function scenarios(): readonly Step[] {
  if (steps.length > 0) return steps;

  // ---- versions and metadata -------------------------------------------------------------------
  ask(
    'which APIs there are',
    'ApiVersions',
    { clientSoftwareName: 'compare', clientSoftwareVersion: '1' },
    {
      versions: span(0, 4),
      show: ({ errorCode, apiKeys, supportedFeatures, finalizedFeatures }) => ({
        errorCode,
        apis: Object.fromEntries(
          apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
            apiKey,
            `${minVersion}-${maxVersion}`,
          ]),
        ),
        supported: Object.fromEntries(
          supportedFeatures.map(({ name, minVersion, maxVersion }) => [
            name,
            `${minVersion}-${maxVersion}`,
          ]),
        ),
        finalized: Object.fromEntries(
          finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]),
        ),
      }),
    },
  );
  ask(
    'software names must make sense',
    'ApiVersions',
    { clientSoftwareName: 'a b', clientSoftwareVersion: '' },
    { versions: [3] },
  );
  ask(
    'another cluster',
    'ApiVersions',
    { clientSoftwareName: 'a', clientSoftwareVersion: '1', clusterId: 'other' },
    { versions: [5] },
  );
  ask(
    'the cluster',
    'DescribeCluster',
    {},
    {
      versions: span(0, 2),
      show: ({ errorCode, endpointType, clusterAuthorizedOperations, brokers }) => ({
        errorCode,
        endpointType,
        clusterAuthorizedOperations,
        brokers: brokers.map(({ brokerId, rack, isFenced }) => ({ brokerId, rack, isFenced })),
      }),
    },
  );

  // ---- topics ----------------------------------------------------------------------------------
  for (const [name, topic] of Object.entries({
    'a topic': {
      name: 't',
      numPartitions: 2,
      replicationFactor: 1,
      configs: [{ name: 'retention.ms', value: '3600000' }],
    },
    'a topic that is there': { name: 't', numPartitions: 2, replicationFactor: 1 },
    defaults: { name: 'defaults', numPartitions: -1, replicationFactor: -1 },
    'no name': { name: '', numPartitions: 1, replicationFactor: 1 },
    'a bad name': { name: 'a b', numPartitions: 1, replicationFactor: 1 },
    dots: { name: '..', numPartitions: 1, replicationFactor: 1 },
    'no partitions': { name: 'none', numPartitions: 0, replicationFactor: 1 },
    'too many replicas': { name: 'many', numPartitions: 1, replicationFactor: 3 },
    'no replicas': { name: 'no', numPartitions: 1, replicationFactor: 0 },
    'an unknown setting': {
      name: 'unknown',
      numPartitions: 1,
      replicationFactor: 1,
      configs: [{ name: 'what', value: '1' }],
    },
    'a bad setting': {
      name: 'bad',
      numPartitions: 1,
      replicationFactor: 1,
      configs: [{ name: 'retention.ms', value: 'x' }],
    },
    'a compacted topic': {
      name: 'compact',
      numPartitions: 1,
      replicationFactor: 1,
      configs: [{ name: 'cleanup.policy', value: 'compact' }],
    },
    'an assignment': {
      name: 'assigned',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [0] }],
    },
    'an assignment and a number': {
      name: 'both',
      numPartitions: 1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [0] }],
    },
    'an assignment to nobody': {
      name: 'nobody',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 0, brokerIds: [9] }],
    },
    'an assignment that starts at one': {
      name: 'one',
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [{ partitionIndex: 1, brokerIds: [0] }],
    },
  })) {
    ask(
      `create: ${name}`,
      'CreateTopics',
      { timeoutMs: 20000, topics: [topic] } as RequestOf<'CreateTopics'>,
      {
        always: true,
        versions: name === 'a topic that is there' ? span(2, 7) : [7],
        show: ({ topics }) =>
          topics.map(({ name: of, errorCode, numPartitions, replicationFactor, configs }) => ({
            of,
            errorCode,
            numPartitions,
            replicationFactor,
            configs: configs?.length === 0 ? [] : configs === null ? null : 'some',
          })),
      },
    );
  }
  ask(
    'create: only to see',
    'CreateTopics',
    {
      timeoutMs: 20000,
      validateOnly: true,
      topics: [{ name: 'seen', numPartitions: 3, replicationFactor: 1 }],
    },
    {
      show: ({ topics }) =>
        topics.map(({ errorCode, numPartitions }) => ({ errorCode, numPartitions })),
    },
  );
  ask(
    'create: twice in one request',
    'CreateTopics',
    {
      timeoutMs: 20000,
      topics: [
        { name: 'twice', numPartitions: 1, replicationFactor: 1 },
        { name: 'twice', numPartitions: 1, replicationFactor: 1 },
      ],
    },
    { show: ({ topics }) => topics.map(({ name, errorCode }) => ({ name, errorCode })) },
  );
  ask(
    'metadata of a topic',
    'Metadata',
    { topics: [{ name: 't', topicId: ZERO_UUID }], allowAutoTopicCreation: false },
    {
      always: true,
      versions: span(1, 13),
      retry: ({ topics }) =>
        topics.some(({ errorCode, partitions }) => soft.has(errorCode) || partitions.length < 2),
      keep: ({ topics }, context) => {
        for (const { name, topicId } of topics) context.known.set(`id:${name}`, topicId as never);
      },
      show: ({ topics, controllerId, brokers }) => ({
        controllerId,
        brokers: brokers.length,
        topics: topics.map((topic) => ({
          ...topic,
          partitions: sorted(topic.partitions, (p) => p.partitionIndex),
        })),
      }),
    },
  );
  ask(
    'ids of topics',
    'Metadata',
    {
      topics: ['t', 'compact', 'defaults'].map((name) => ({ name, topicId: ZERO_UUID })),
      allowAutoTopicCreation: false,
    },
    {
      always: true,
      keep: ({ topics }, context) => {
        for (const { name, topicId } of topics) context.known.set(`id:${name}`, topicId as never);
      },
      show: ({ topics }) =>
        topics.map(({ name, errorCode, isInternal }) => ({ name, errorCode, isInternal })),
    },
  );
  ask(
    'metadata of nothing',
    'Metadata',
    { topics: [] },
    { versions: [1, 12], show: ({ topics }) => topics },
  );
  ask(
    'metadata of an unknown topic',
    'Metadata',
    { topics: [{ name: 'nope', topicId: ZERO_UUID }], allowAutoTopicCreation: false },
    { versions: [4, 9, 12], show: ({ topics }) => topics },
  );
  ask(
    'metadata of an unknown id',
    'Metadata',
    { topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }], allowAutoTopicCreation: false },
    {
      versions: [12],
      show: ({ topics }) => topics.map(({ errorCode, partitions }) => ({ errorCode, partitions })),
    },
  );
  ask(
    'metadata of a bad name',
    'Metadata',
    { topics: [{ name: 'a b', topicId: ZERO_UUID }], allowAutoTopicCreation: true },
    { versions: [9], show: ({ topics }) => topics.map(({ errorCode }) => errorCode) },
  );
  ask('partitions of topics', 'DescribeTopicPartitions', {
    topics: [{ name: 't' }, { name: 'nope' }],
    responsePartitionLimit: 10,
  });
  ask('partitions, a page', 'DescribeTopicPartitions', {
    topics: [{ name: 't' }],
    responsePartitionLimit: 1,
  });
  ask('grow: fewer', 'CreatePartitions', {
    topics: [{ name: 't', count: 1, assignments: null }],
    timeoutMs: 5000,
  });
  ask('grow: the same', 'CreatePartitions', {
    topics: [{ name: 't', count: 2, assignments: null }],
    timeoutMs: 5000,
  });
  ask('grow: unknown', 'CreatePartitions', {
    topics: [{ name: 'nope', count: 3, assignments: null }],
    timeoutMs: 5000,
  });
  ask('grow: a bad assignment', 'CreatePartitions', {
    topics: [{ name: 't', count: 3, assignments: [{ brokerIds: [7] }] }],
    timeoutMs: 5000,
  });
  ask('grow: only to see', 'CreatePartitions', {
    topics: [{ name: 't', count: 3, assignments: null }],
    timeoutMs: 5000,
    validateOnly: true,
  });
  ask(
    'delete: unknown',
    'DeleteTopics',
    { topicNames: ['nope'], topics: [{ name: 'nope', topicId: ZERO_UUID }], timeoutMs: 5000 },
    { versions: [1, 5, 6] },
  );
  ask(
    'delete: an unknown id',
    'DeleteTopics',
    { topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }], timeoutMs: 5000 },
    { versions: [6] },
  );
  ask(
    'delete: name and id',
    'DeleteTopics',
    (c) => ({ topics: [{ name: 't', topicId: idOf(c, 't') }], timeoutMs: 5000 }),
    { versions: [6] },
  );

  // ---- produce ---------------------------------------------------------------------------------
  ask('produce', 'Produce', produceTo('t', records(3)), {
    always: true,
    versions: span(3, 13),
    retry: ({ responses }) =>
      responses.some(({ partitionResponses }) =>
        partitionResponses.some(({ errorCode }) => soft.has(errorCode)),
      ),
  });
  ask('produce: to nowhere', 'Produce', produceTo('nope', records(1)), { versions: [9, 12, 13] });
  ask('produce: to an unknown partition', 'Produce', (c) => ({
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      {
        topicId: idOf(c, 't'),
        name: 't',
        partitionData: [{ index: 9, records: records(1) as never }],
      },
    ],
  }));
  ask('produce: acks of 7', 'Produce', produceTo('t', records(1), { acks: 7 }), {
    versions: [9, 13],
  });
  const broken = records(1);
  broken.writeUInt8((broken.at(-1) ?? 0) ^ 1, broken.length - 1);
  ask('produce: a bad checksum', 'Produce', produceTo('t', broken), { versions: [8, 13] });
  ask(
    'produce: a control batch',
    'Produce',
    produceTo('t', records(1, { attributes: CONTROL_BIT })),
  );
  ask(
    'produce: too large',
    'Produce',
    produceTo(
      't',
      buildBatch([{ key: null, value: Buffer.alloc(1_100_000) }], { timestampMs: NOW }),
    ),
  );
  ask(
    'produce: from the future',
    'Produce',
    produceTo('t', records(1, { timestampMs: NOW + 8_000_000 })),
  );
  ask('produce: two batches', 'Produce', produceTo('t', Buffer.concat([records(1), records(1)])));
  const miscounted = records(2);
  miscounted.writeInt32BE(5, 23);
  ask('produce: a wrong count', 'Produce', produceTo('t', miscounted));
  ask('produce: nothing', 'Produce', produceTo('t', null));
  ask(
    'produce: without a key to a compacted topic',
    'Produce',
    produceTo(
      'compact',
      buildBatch([{ key: null, value: Buffer.from('x') }], { timestampMs: NOW }),
    ),
    {
      retry: ({ responses }) =>
        responses.some(({ partitionResponses }) =>
          partitionResponses.some(({ errorCode }) => soft.has(errorCode)),
        ),
    },
  );
  ask('produce: to an internal topic', 'Produce', produceTo('__consumer_offsets', records(1)), {
    versions: [9],
  });

  // ---- idempotence -----------------------------------------------------------------------------
  ask(
    'a producer id',
    'InitProducerId',
    { transactionalId: null, transactionTimeoutMs: 1000 },
    {
      always: true,
      versions: span(0, 5),
      retry: ({ errorCode }) => soft.has(errorCode),
      keep: ({ producerId }, c) => c.known.set('pid', producerId as never),
    },
  );
  ask(
    'half a producer',
    'InitProducerId',
    { transactionalId: null, transactionTimeoutMs: 1000, producerId: 5, producerEpoch: -1 },
    { versions: [4] },
  );
  const numbered = (c: Context, epoch: number, sequence: number, count = 1) =>
    produceTo(
      't',
      records(count, {
        producerId: c.known.get('pid') ?? 0,
        producerEpoch: epoch,
        baseSequence: sequence,
      }),
    )(c);
  ask('sequence 0', 'Produce', (c) => numbered(c, 0, 0, 2), { show: baseOffsetKind });
  ask('sequence 0 again', 'Produce', (c) => numbered(c, 0, 0, 2), { show: baseOffsetKind });
  ask('a gap', 'Produce', (c) => numbered(c, 0, 5), { show: baseOffsetKind });
  ask('another epoch, not from 0', 'Produce', (c) => numbered(c, 1, 5), { show: baseOffsetKind });
  ask('another epoch', 'Produce', (c) => numbered(c, 1, 0), { show: baseOffsetKind });
  ask('the old epoch', 'Produce', (c) => numbered(c, 0, 2), { show: baseOffsetKind });

  // ---- reading ---------------------------------------------------------------------------------
  const fetchOf =
    (topic: string, fetchOffset: number, more: object = {}, partitionMore: object = {}) =>
    (c: Context) =>
      ({
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: 1_000_000,
        isolationLevel: 0,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic,
            topicId: idOf(c, topic),
            partitions: [
              {
                partition: 0,
                currentLeaderEpoch: -1,
                fetchOffset,
                lastFetchedEpoch: -1,
                logStartOffset: -1,
                partitionMaxBytes: 100_000,
                ...partitionMore,
              },
            ],
          },
        ],
        ...more,
      }) as RequestOf<'Fetch'>;
  const fetched = ({ errorCode, sessionId, responses }: ResponseOf<'Fetch'>) => ({
    errorCode,
    session: sessionId !== 0,
    responses: responses.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ records: bytes, ...rest }) => ({
        ...rest,
        records: bytes === null ? null : (bytes as unknown as Buffer).length > 0,
      })),
    })),
  });
  ask('fetch', 'Fetch', fetchOf('t', 0), { versions: span(4, 18), show: fetched });
  ask('fetch: read committed', 'Fetch', fetchOf('t', 0, { isolationLevel: 1 }), { show: fetched });
  ask('fetch: from the end', 'Fetch', fetchOf('t', 1_000_000), {
    versions: [11, 18],
    show: fetched,
  });
  ask('fetch: before the start', 'Fetch', fetchOf('t', -5), { show: fetched });
  ask(
    'fetch: an old epoch of the leader',
    'Fetch',
    fetchOf('t', 0, {}, { currentLeaderEpoch: 100 }),
    { show: fetched },
  );
  ask('fetch: an unknown topic', 'Fetch', fetchOf('nope', 0), {
    versions: [12, 13],
    show: fetched,
  });
  ask('fetch: an unknown session', 'Fetch', fetchOf('t', 0, { sessionId: 77, sessionEpoch: 1 }), {
    show: fetched,
  });
  ask('fetch: a new session', 'Fetch', fetchOf('t', 0, { sessionEpoch: 0 }), { show: fetched });
  for (const timestamp of [-1, -2, -3, -4, -5, -6, NOW, NOW + 60_000, 0])
    ask(
      `offset for ${timestamp < 0 ? timestamp : timestamp - NOW}`,
      'ListOffsets',
      {
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          { name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] },
        ],
      },
      {
        versions:
          timestamp >= -2
            ? [1, 4, 11]
            : timestamp === -3
              ? [7, 11]
              : timestamp === -4
                ? [8, 11]
                : [9, 11],
      },
    );
  ask('offset of an unknown partition', 'ListOffsets', {
    replicaId: -1,
    topics: [
      { name: 't', partitions: [{ partitionIndex: 9, currentLeaderEpoch: -1, timestamp: -1 }] },
    ],
  });
  ask('offset twice', 'ListOffsets', {
    replicaId: -1,
    topics: [
      {
        name: 't',
        partitions: [
          { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 },
          { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 },
        ],
      },
    ],
  });
  ask(
    'the end of an epoch',
    'OffsetForLeaderEpoch',
    {
      replicaId: -1,
      topics: [
        {
          topic: 't',
          partitions: [
            { partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 },
            { partition: 1, currentLeaderEpoch: -1, leaderEpoch: 9 },
          ],
        },
      ],
    },
    { versions: [3, 4] },
  );
  ask(
    'records: deleted',
    'DeleteRecords',
    {
      topics: [
        { name: 't', partitions: [{ partitionIndex: 0, offset: 2 }] },
        { name: 'nope', partitions: [{ partitionIndex: 0, offset: 2 }] },
        { name: 'compact', partitions: [{ partitionIndex: 0, offset: 0 }] },
      ],
      timeoutMs: 5000,
    },
    { versions: [0, 2], show: ({ topics }) => sorted(topics, ({ name }) => name) },
  );
  ask('records: too many deleted', 'DeleteRecords', {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: 1_000_000 }] }],
    timeoutMs: 5000,
  });
  ask('records: an odd offset deleted', 'DeleteRecords', {
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset: -7 }] }],
    timeoutMs: 5000,
  });
  ask(
    'producers',
    'DescribeProducers',
    {
      topics: [
        { name: 't', partitionIndexes: [0, 9] },
        { name: 'nope', partitionIndexes: [0] },
      ],
    },
    { show: ({ topics }) => sorted(topics, ({ name }) => name) },
  );
  secondPart();
  return steps;
}

function baseOffsetKind({ responses }: ResponseOf<'Produce'>) {
  return responses.map(({ partitionResponses }) =>
    partitionResponses.map(({ errorCode, baseOffset }) => ({
      errorCode,
      isGiven: baseOffset >= 0,
    })),
  );
}

function secondPart(): void {
  const group = 'g';
  const member = (c: Context) => (c.known.get('member') as string | undefined) ?? '';
  // ---- classic groups --------------------------------------------------------------------------
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
  ask('join: an unknown member', 'JoinGroup', (c) => joining(c, { memberId: 'who' }));
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
  const offsets = (c: Context, groupId: string, partitionIndexes: number[] | null) =>
    ({
      groupId,
      topics: partitionIndexes === null ? null : [{ name: 't', partitionIndexes }],
      groups: [
        {
          groupId,
          memberId: null,
          memberEpoch: -1,
          topics:
            partitionIndexes === null
              ? null
              : [{ name: 't', topicId: idOf(c, 't'), partitionIndexes }],
        },
      ],
      requireStable: false,
    }) as RequestOf<'OffsetFetch'>;
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

  // ---- consumer groups -------------------------------------------------------------------------
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
  ask('commit in a consumer group', 'OffsetCommit', (c) =>
    commit(c, {
      groupId: 'next',
      memberId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      generationIdOrMemberEpoch: 1,
    }),
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

  // ---- transactions ----------------------------------------------------------------------------
  const producer = (c: Context) => ({
    producerId: (c.known.get('txn') as number | undefined) ?? 0,
    producerEpoch: (c.known.get('epoch') as number | undefined) ?? 0,
  });
  const keepProducer = (
    { producerId, producerEpoch }: { producerId: number; producerEpoch: number },
    c: Context,
  ) => {
    if (producerId < 0) return;
    c.known.set('txn', producerId as never);
    c.known.set('epoch', producerEpoch as never);
  };
  ask(
    'coordinator of a transaction',
    'FindCoordinator',
    { key: 'tx', keyType: 1, coordinatorKeys: ['tx'] },
    {
      always: true,
      versions: [1, 4, 6],
      retry: ({ errorCode, coordinators }) =>
        soft.has(errorCode) || coordinators.some((one) => soft.has(one.errorCode)),
    },
  );
  ask(
    'begin: too long',
    'InitProducerId',
    { transactionalId: 'tx', transactionTimeoutMs: 90_000_000 },
    { retry: ({ errorCode }) => soft.has(errorCode) },
  );
  ask('begin: no time', 'InitProducerId', { transactionalId: 'tx', transactionTimeoutMs: 0 });
  ask('begin: no id', 'InitProducerId', { transactionalId: '', transactionTimeoutMs: 1000 });
  ask(
    'begin',
    'InitProducerId',
    { transactionalId: 'tx', transactionTimeoutMs: 60_000 },
    { always: true, retry: ({ errorCode }) => soft.has(errorCode), keep: keepProducer },
  );
  const adding = (c: Context, over: object = {}) =>
    ({
      v3AndBelowTransactionalId: 'tx',
      v3AndBelowProducerId: producer(c).producerId,
      v3AndBelowProducerEpoch: producer(c).producerEpoch,
      v3AndBelowTopics: [{ name: 't', partitions: [0] }],
      ...over,
    }) as RequestOf<'AddPartitionsToTxn'>;
  ask(
    'add: an unknown id',
    'AddPartitionsToTxn',
    (c) => adding(c, { v3AndBelowTransactionalId: 'unknown' }),
    { versions: [3] },
  );
  ask(
    'add: another producer',
    'AddPartitionsToTxn',
    (c) => adding(c, { v3AndBelowProducerId: 99_999 }),
    { versions: [3] },
  );
  ask(
    'add: another epoch',
    'AddPartitionsToTxn',
    (c) => adding(c, { v3AndBelowProducerEpoch: 7 }),
    { versions: [0, 3] },
  );
  ask(
    'add: an unknown partition',
    'AddPartitionsToTxn',
    (c) => adding(c, { v3AndBelowTopics: [{ name: 't', partitions: [0, 9] }] }),
    {
      versions: [3],
      show: ({ resultsByTopicV3AndBelow }) =>
        resultsByTopicV3AndBelow.map(({ resultsByPartition }) =>
          sorted(resultsByPartition, (p) => p.partitionIndex),
        ),
    },
  );
  ask(
    'commit of nothing',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), committed: true }),
    { versions: [3, 5] },
  );
  ask(
    'transactional produce without adding',
    'Produce',
    (c) =>
      produceTo(
        't',
        records(1, { ...producer(c), baseSequence: 0, attributes: TRANSACTIONAL_BIT }),
        { transactionalId: 'tx' },
      )(c),
    { versions: [10, 11], show: baseOffsetKind },
  );
  ask('add', 'AddPartitionsToTxn', (c) => adding(c), {
    versions: [3],
    retry: ({ resultsByTopicV3AndBelow }) =>
      resultsByTopicV3AndBelow.some(({ resultsByPartition }) =>
        resultsByPartition.some(({ partitionErrorCode }) => soft.has(partitionErrorCode)),
      ),
  });
  ask(
    'transactional produce',
    'Produce',
    (c) =>
      produceTo(
        't',
        records(1, { ...producer(c), baseSequence: 0, attributes: TRANSACTIONAL_BIT }),
        { transactionalId: 'tx' },
      )(c),
    { versions: [11], show: baseOffsetKind },
  );
  ask(
    'plain produce in a transaction',
    'Produce',
    (c) => produceTo('t', records(1, { ...producer(c), baseSequence: 1 }))(c),
    { versions: [11], show: baseOffsetKind },
  );
  ask(
    'offsets join',
    'AddOffsetsToTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), groupId: 'txg' }),
    { retry: ({ errorCode }) => soft.has(errorCode) },
  );
  ask(
    'offsets in a transaction',
    'TxnOffsetCommit',
    (c) => ({
      transactionalId: 'tx',
      groupId: 'txg',
      ...producer(c),
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        {
          name: 't',
          topicId: idOf(c, 't'),
          partitions: [
            {
              partitionIndex: 0,
              committedOffset: 3,
              committedLeaderEpoch: -1,
              committedMetadata: null,
            },
          ],
        },
      ],
    }),
    {
      versions: [3],
      retry: ({ topics }) =>
        topics.some(({ partitions }) => partitions.some(({ errorCode }) => soft.has(errorCode))),
    },
  );
  ask(
    'offsets that may change',
    'OffsetFetch',
    (c) => ({ ...offsets(c, 'txg', [0]), requireStable: true }),
    { versions: [7, 9] },
  );
  ask(
    'an ongoing transaction',
    'DescribeTransactions',
    { transactionalIds: ['tx', 'unknown', ''] },
    {
      show: ({ transactionStates }) =>
        transactionStates.map(({ topics, ...rest }) => ({
          ...rest,
          topics: sorted(topics, ({ topic }) => topic),
        })),
    },
  );
  ask(
    'transactions',
    'ListTransactions',
    { stateFilters: ['Ongoing', 'Odd'], producerIdFilters: [] },
    { versions: [0, 1, 2] },
  );
  ask(
    'transactions by a bad pattern',
    'ListTransactions',
    { stateFilters: [], producerIdFilters: [], transactionalIdPattern: '(' },
    { versions: [2] },
  );
  ask('what is stable', 'ListOffsets', {
    replicaId: -1,
    isolationLevel: 1,
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] },
    ],
  });
  ask(
    'end: another epoch',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), producerEpoch: 9, committed: true }),
    { versions: [3, 5] },
  );
  ask('end', 'EndTxn', (c) => ({ transactionalId: 'tx', ...producer(c), committed: true }), {
    versions: [3],
  });
  ask('end again', 'EndTxn', (c) => ({ transactionalId: 'tx', ...producer(c), committed: true }), {
    versions: [3],
    retry: ({ errorCode }) => soft.has(errorCode),
  });
  ask(
    'end the other way',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), committed: false }),
    { versions: [3], retry: ({ errorCode }) => soft.has(errorCode) },
  );
  ask(
    'implicit: produce',
    'Produce',
    (c) =>
      produceTo(
        't',
        records(1, { ...producer(c), baseSequence: 1, attributes: TRANSACTIONAL_BIT }),
        { transactionalId: 'tx' },
      )(c),
    {
      versions: [13],
      show: baseOffsetKind,
      retry: ({ responses }) =>
        responses.some(({ partitionResponses }) =>
          partitionResponses.some(({ errorCode }) => soft.has(errorCode)),
        ),
    },
  );
  ask(
    'implicit: end',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), committed: false }),
    {
      versions: [5],
      keep: (answer, c) => {
        c.known.set('old epoch', producer(c).producerEpoch as never);
        keepProducer(answer, c);
      },
      show: ({ errorCode, producerEpoch }) => ({ errorCode, producerEpoch }),
    },
  );
  ask(
    'implicit: end again with the old epoch',
    'EndTxn',
    (c) => ({
      transactionalId: 'tx',
      ...producer(c),
      producerEpoch: c.known.get('old epoch') ?? 0,
      committed: false,
    }),
    {
      versions: [5],
      retry: ({ errorCode }) => soft.has(errorCode),
      show: ({ errorCode, producerEpoch }) => ({ errorCode, producerEpoch }),
    },
  );
  ask(
    'implicit: abort of nothing',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), committed: false }),
    {
      versions: [5],
      retry: ({ errorCode }) => soft.has(errorCode),
      keep: keepProducer,
      show: ({ errorCode, producerEpoch }) => ({ errorCode, producerEpoch }),
    },
  );
  ask(
    'implicit: commit of nothing',
    'EndTxn',
    (c) => ({ transactionalId: 'tx', ...producer(c), committed: true }),
    {
      versions: [5],
      retry: ({ errorCode }) => soft.has(errorCode),
      show: ({ errorCode }) => ({ errorCode }),
    },
  );
  ask(
    'aborted transactions are named',
    'Fetch',
    (c) => ({
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_000_000,
      isolationLevel: 1,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic: 't',
          topicId: idOf(c, 't'),
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: 2,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 100_000,
            },
          ],
        },
      ],
    }),
    {
      show: ({ responses }) =>
        responses.map(({ partitions }) =>
          partitions.map(({ abortedTransactions, lastStableOffset, highWatermark }) => ({
            aborted: abortedTransactions?.map(({ firstOffset }) => firstOffset),
            lastStableOffset,
            highWatermark,
          })),
        ),
    },
  );
  ask(
    'bump the epoch',
    'InitProducerId',
    (c) => ({ transactionalId: 'tx', transactionTimeoutMs: 60_000, ...producer(c) }),
    { retry: ({ errorCode }) => soft.has(errorCode), keep: keepProducer },
  );
  ask(
    'bump from a wrong epoch',
    'InitProducerId',
    (c) => ({
      transactionalId: 'tx',
      transactionTimeoutMs: 60_000,
      ...producer(c),
      producerEpoch: 0,
    }),
    { versions: [3, 5], show: ({ errorCode, producerEpoch }) => ({ errorCode, producerEpoch }) },
  );

  // ---- configuration ---------------------------------------------------------------------------
  const names = ({ results }: ResponseOf<'DescribeConfigs'>) =>
    results.map(({ errorCode, resourceName, resourceType, configs }) => ({
      errorCode,
      resourceName,
      resourceType,
      configs: Object.fromEntries(
        sorted(configs, ({ name }) => name).map(({ name, documentation: _, ...rest }) => [
          name,
          rest,
        ]),
      ),
    }));
  ask(
    'configuration of a topic',
    'DescribeConfigs',
    {
      resources: [{ resourceType: 2, resourceName: 't', configurationKeys: null }],
      includeSynonyms: true,
      includeDocumentation: false,
    },
    { versions: [1, 4], show: names },
  );
  ask('configuration of an unknown topic', 'DescribeConfigs', {
    resources: [{ resourceType: 2, resourceName: 'nope', configurationKeys: null }],
  });
  ask('configuration of an odd resource', 'DescribeConfigs', {
    resources: [{ resourceType: 99, resourceName: 'x', configurationKeys: null }],
  });
  ask(
    'some configuration of the broker',
    'DescribeConfigs',
    {
      resources: [
        {
          resourceType: 4,
          resourceName: '0',
          configurationKeys: [
            'num.partitions',
            'message.max.bytes',
            'log.retention.ms',
            'delete.topic.enable',
          ],
        },
      ],
      includeSynonyms: true,
    },
    { show: names },
  );
  ask('configuration of another broker', 'DescribeConfigs', {
    resources: [{ resourceType: 4, resourceName: '7', configurationKeys: null }],
  });
  const alter = (name: string, value: string | null, configOperation: number, over: object = {}) =>
    ({
      resources: [
        {
          resourceType: 2,
          resourceName: 't',
          configs: [{ name, value, configOperation }],
          ...over,
        },
      ],
      validateOnly: false,
    }) as RequestOf<'IncrementalAlterConfigs'>;
  ask('alter: set', 'IncrementalAlterConfigs', alter('max.message.bytes', '900000', 0));
  ask('alter: a bad value', 'IncrementalAlterConfigs', alter('max.message.bytes', 'many', 0));
  ask('alter: an unknown key', 'IncrementalAlterConfigs', alter('what', '1', 0));
  ask('alter: no value', 'IncrementalAlterConfigs', alter('max.message.bytes', null, 0));
  ask('alter: append to a number', 'IncrementalAlterConfigs', alter('max.message.bytes', '1', 2));
  ask('alter: append', 'IncrementalAlterConfigs', alter('cleanup.policy', 'compact', 2));
  ask('alter: subtract', 'IncrementalAlterConfigs', alter('cleanup.policy', 'compact', 3));
  ask('alter: delete', 'IncrementalAlterConfigs', alter('max.message.bytes', null, 1));
  ask('alter: an odd operation', 'IncrementalAlterConfigs', alter('max.message.bytes', '1', 9));
  ask(
    'alter: an unknown topic',
    'IncrementalAlterConfigs',
    alter('max.message.bytes', '1', 0, { resourceName: 'nope' }),
  );
  ask(
    'alter: twice',
    'IncrementalAlterConfigs',
    alter('x', '1', 0, {
      configs: [
        { name: 'max.message.bytes', value: '1', configOperation: 0 },
        { name: 'max.message.bytes', value: '2', configOperation: 0 },
      ],
    }),
  );
  ask(
    'alter, the old way',
    'AlterConfigs',
    {
      resources: [
        {
          resourceType: 2,
          resourceName: 't',
          configs: [{ name: 'retention.ms', value: '7200000' }],
        },
        { resourceType: 2, resourceName: 'nope', configs: [] },
      ],
    },
    { show: ({ responses }) => sorted(responses, ({ resourceName }) => resourceName) },
  );
  ask(
    'resources with configuration',
    'ListConfigResources',
    { resourceTypes: [2] },
    {
      show: ({ errorCode, configResources }) => ({
        errorCode,
        names: configResources
          .map(({ resourceName }) => resourceName)
          .filter((name) => !name.startsWith('__'))
          .sort(),
      }),
    },
  );
  ask('odd resources with configuration', 'ListConfigResources', { resourceTypes: [99] });

  // ---- administration --------------------------------------------------------------------------
  ask(
    'elect: not needed',
    'ElectLeaders',
    { electionType: 0, topicPartitions: [{ topic: 't', partitions: [0] }], timeoutMs: 5000 },
    { versions: [1, 2] },
  );
  ask('elect: unknown', 'ElectLeaders', {
    electionType: 0,
    topicPartitions: [{ topic: 'nope', partitions: [0] }],
    timeoutMs: 5000,
  });
  ask('elect: an odd way', 'ElectLeaders', {
    electionType: 7,
    topicPartitions: [{ topic: 't', partitions: [0] }],
    timeoutMs: 5000,
  });
  ask('move: nowhere', 'AlterPartitionReassignments', {
    timeoutMs: 5000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [9] }] }],
  });
  ask('move: to none', 'AlterPartitionReassignments', {
    timeoutMs: 5000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [] }] }],
  });
  ask('move: unknown', 'AlterPartitionReassignments', {
    timeoutMs: 5000,
    topics: [{ name: 'nope', partitions: [{ partitionIndex: 0, replicas: [0] }] }],
  });
  ask('move: where it is', 'AlterPartitionReassignments', {
    timeoutMs: 5000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [0] }] }],
  });
  ask('move: cancel', 'AlterPartitionReassignments', {
    timeoutMs: 5000,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas: null }] }],
  });
  ask('what moves', 'ListPartitionReassignments', { timeoutMs: 5000, topics: null });
  ask(
    'log directories',
    'DescribeLogDirs',
    { topics: [{ topic: 't', partitions: [0, 1] }] },
    {
      versions: span(1, 5),
      show: ({ errorCode, results }) => ({
        errorCode,
        results: results.map(({ errorCode: of, isCordoned, topics }) => ({
          of,
          isCordoned,
          topics: topics.map(({ name, partitions }) => ({
            name,
            partitions: sorted(
              partitions.map(({ partitionIndex, offsetLag, isFutureKey }) => ({
                partitionIndex,
                offsetLag,
                isFutureKey,
              })),
              (p) => p.partitionIndex,
            ),
          })),
        })),
      }),
    },
  );
  ask('another log directory', 'AlterReplicaLogDirs', {
    dirs: [{ path: '/nowhere', topics: [{ name: 't', partitions: [0] }] }],
  });
  ask(
    'features',
    'UpdateFeatures',
    {
      timeoutMs: 5000,
      featureUpdates: [{ feature: 'odd', maxVersionLevel: 1, upgradeType: 1 }],
      validateOnly: true,
    },
    { versions: [1, 2] },
  );
  ask('a broker that is none', 'UnregisterBroker', { brokerId: 77 });
  ask('quotas', 'DescribeClientQuotas', { components: [], strict: false });
  ask('a quota of an odd entity', 'AlterClientQuotas', {
    entries: [
      {
        entity: [{ entityType: 'odd', entityName: 'x' }],
        ops: [{ key: 'producer_byte_rate', value: 1000, remove: false }],
      },
    ],
    validateOnly: true,
  });
  ask('an odd quota', 'AlterClientQuotas', {
    entries: [
      {
        entity: [{ entityType: 'user', entityName: 'x' }],
        ops: [{ key: 'odd', value: 1000, remove: false }],
      },
    ],
    validateOnly: true,
  });
  ask('a quota', 'AlterClientQuotas', {
    entries: [
      {
        entity: [{ entityType: 'client-id', entityName: 'x' }],
        ops: [{ key: 'producer_byte_rate', value: 1000, remove: false }],
      },
    ],
    validateOnly: false,
  });
  ask(
    'the quota',
    'DescribeClientQuotas',
    { components: [{ entityType: 'client-id', matchType: 0, match: 'x' }], strict: true },
    { retry: ({ entries }) => entries?.length === 0 },
  );
  ask('ACLs', 'DescribeAcls', {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: 1,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  });
  ask('an ACL', 'CreateAcls', {
    creations: [
      {
        resourceType: 2,
        resourceName: 't',
        resourcePatternType: 3,
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 3,
      },
    ],
  });
  ask('fewer ACLs', 'DeleteAcls', {
    filters: [
      {
        resourceTypeFilter: 1,
        resourceNameFilter: null,
        patternTypeFilter: 1,
        principalFilter: null,
        hostFilter: null,
        operation: 1,
        permissionType: 1,
      },
    ],
  });
  ask('SCRAM users', 'DescribeUserScramCredentials', { users: null });
  ask('a SCRAM user', 'DescribeUserScramCredentials', { users: [{ name: 'a' }] });
  ask('no SCRAM user', 'AlterUserScramCredentials', {
    deletions: [{ name: 'a', mechanism: 1 }],
    upsertions: [],
  });
  ask('tokens', 'DescribeDelegationToken', { owners: null });
  ask(
    'a token',
    'CreateDelegationToken',
    { renewers: [], maxLifetimeMs: -1, ownerPrincipalType: null, ownerPrincipalName: null },
    { show: ({ errorCode }) => errorCode },
  );
  ask('renewal', 'RenewDelegationToken', { hmac: Buffer.from('x'), renewPeriodMs: 1 });
  ask('expiry', 'ExpireDelegationToken', { hmac: Buffer.from('x'), expiryTimePeriodMs: 1 });
  ask('SASL', 'SaslHandshake', { mechanism: 'PLAIN' });
  ask('SASL, next', 'SaslAuthenticate', { authBytes: Buffer.from('x') });
  ask(
    'the quorum',
    'DescribeQuorum',
    { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] },
    {
      show: ({ errorCode, topics }) => ({
        errorCode,
        topics: topics.map(({ partitions }) =>
          partitions.map(({ errorCode: of, leaderId, currentVoters }) => ({
            of,
            leaderId,
            voters: currentVoters.map(({ replicaId }) => replicaId),
          })),
        ),
      }),
    },
  );
  ask(
    'the quorum of another topic',
    'DescribeQuorum',
    { topics: [{ topicName: 't', partitions: [{ partitionIndex: 0 }] }] },
    { show: ({ errorCode }) => errorCode },
  );
  ask(
    'delete the topic',
    'DeleteTopics',
    { topics: [{ name: 't', topicId: ZERO_UUID }], timeoutMs: 20_000 },
    { always: true },
  );
  ask(
    'it is gone',
    'Metadata',
    { topics: [{ name: 't', topicId: ZERO_UUID }], allowAutoTopicCreation: false },
    {
      retry: ({ topics }) => topics.some(({ errorCode }) => errorCode === 0),
      show: ({ topics }) => topics.map(({ errorCode }) => errorCode),
    },
  );
}
