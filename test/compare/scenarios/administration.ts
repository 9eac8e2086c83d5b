/** What both systems are asked: Configuration and administration. */
import { ZERO_UUID } from '../../../proto/kafka/cursor.ts';
import { ask, type RequestOf, type ResponseOf, sorted, span } from './steps.ts';

export function askAdministration(): void {
  const names = ({ results }: ResponseOf<'DescribeConfigs'>) =>
    results.map(({ errorCode, resourceName, resourceType, configs }) => ({
      errorCode,
      resourceName,
      resourceType,
      configs: Object.fromEntries(
        sorted(configs, ({ name }) => name).map((entry) => [
          entry.name,
          { ...entry, documentation: '' },
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
