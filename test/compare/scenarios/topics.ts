/** What both systems are asked: Versions, metadata, topics. */
import { ZERO_UUID } from '../../../proto/kafka/cursor.ts';
import { ask, idOf, type RequestOf, soft, sorted, span } from './steps.ts';

export function askTopics(): void {
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
}
