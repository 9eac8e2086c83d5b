/** Broker configuration under Kafka's names: KafkaCluster.spec.config, the same for every broker. */
import type { Setting } from '../../stdx/settings.ts';
import { acceptedSettings } from './accepted-settings.ts';
import { topicSettings } from './topic-settings.ts';

function row(
  name: string,
  type: Setting['type'],
  preset: string,
  doc: string,
  min?: number,
): Setting {
  return { name, type, default: preset, doc, ...(min === undefined ? {} : { min }) };
}

/** What settings of single groups may be: name after `group.`, lowest, highest. */
const bounds: readonly Setting[] = (
  [
    ['consumer', 'heartbeat.interval.ms', 5000, 15_000],
    ['consumer', 'session.timeout.ms', 45_000, 60_000],
    ['share', 'delivery.count.limit', 2, 10],
    ['share', 'heartbeat.interval.ms', 5000, 15_000],
    ['share', 'partition.max.record.locks', 100, 4000],
    ['share', 'record.lock.duration.ms', 15_000, 60_000],
    ['share', 'session.timeout.ms', 45_000, 60_000],
    ['streams', 'heartbeat.interval.ms', 5000, 15_000],
    ['streams', 'session.timeout.ms', 45_000, 60_000],
    ['streams', 'standby.replicas', null, 2],
  ] as const
).flatMap(([kind, name, min, max]) => {
  const doc = (what: string) => `The ${what} ${name} that a ${kind} group may ask for.`;
  const high = row(`group.${kind}.max.${name}`, 'INT', String(max), doc('highest'), 0);
  if (min === null) return [high];
  return [row(`group.${kind}.min.${name}`, 'INT', String(min), doc('lowest'), 1), high];
});

const own: readonly Setting[] = [
  row(
    'add.partitions.to.txn.retry.backoff.max.ms',
    'INT',
    '100',
    'How long a partition waits for the last transaction of a producer to end.',
    0,
  ),
  row('add.partitions.to.txn.retry.backoff.ms', 'INT', '20', 'Pause between two such looks.', 1),
  row(
    'auto.create.topics.enable',
    'BOOLEAN',
    'true',
    'Whether a topic is created when a client asks for it by name.',
  ),
  row(
    'auto.leader.rebalance.enable',
    'BOOLEAN',
    'true',
    'Whether leadership goes back to preferred replicas by itself.',
  ),
  row(
    'broker.rack',
    'STRING',
    '',
    'The rack of a broker, set for each under brokerConfig; read when it starts.',
  ),
  row(
    'broker.session.timeout.ms',
    'INT',
    '9000',
    'A broker whose Lease stands still this long is fenced.',
    1000,
  ),
  row(
    'connections.max.idle.ms',
    'LONG',
    '600000',
    'Idle client connections are closed after this time.',
  ),
  row(
    'controlled.shutdown.enable',
    'BOOLEAN',
    'true',
    'Whether a stopping broker hands its partitions over first.',
  ),
  row('default.replication.factor', 'INT', '1', 'Replicas of a topic that does not say.', 1),
  row('delete.topic.enable', 'BOOLEAN', 'true', 'Whether clients may delete topics.'),
  row('fetch.max.bytes', 'INT', '57671680', 'Most bytes that one fetch is answered with.', 1024),
  row(
    'group.consumer.assignors',
    'LIST',
    'uniform,range',
    'Assignors of consumer groups; the first one serves members that name none.',
  ),
  row(
    'group.consumer.heartbeat.interval.ms',
    'INT',
    '5000',
    'How often members of consumer groups are to report.',
    1,
  ),
  row('group.consumer.max.size', 'INT', '2147483647', 'Most members of one consumer group.', 1),
  {
    ...row(
      'group.consumer.migration.policy',
      'STRING',
      'bidirectional',
      'Whether groups with members change between the classic and the consumer protocol.',
    ),
    oneOf: ['disabled', 'upgrade', 'downgrade', 'bidirectional'],
  },
  row(
    'group.consumer.session.timeout.ms',
    'INT',
    '45000',
    'A member of a consumer group that is not heard of for so long is removed.',
    1,
  ),
  row(
    'group.streams.acceptable.recovery.lag',
    'LONG',
    '10000',
    'How far behind a copy of state may be to count as caught up; told to streams clients.',
    0,
  ),
  row(
    'group.streams.heartbeat.interval.ms',
    'INT',
    '5000',
    'How often members of streams groups are to report.',
    1,
  ),
  row(
    'group.streams.initial.rebalance.delay.ms',
    'INT',
    '3000',
    'How long an empty streams group waits for more members before it hands out tasks.',
    0,
  ),
  row('group.streams.max.size', 'INT', '2147483647', 'Most members of one streams group.', 1),
  row(
    'group.streams.num.standby.replicas',
    'INT',
    '0',
    'Copies of the state of each task of a streams group, kept by other processes.',
    0,
  ),
  row(
    'group.streams.rack.aware.assignment.tags',
    'LIST',
    '',
    'Client tags that a streams group spreads stand-by tasks over.',
  ),
  row(
    'group.streams.session.timeout.ms',
    'INT',
    '45000',
    'A member of a streams group that is not heard of for so long is removed.',
    1,
  ),
  row(
    'group.streams.task.offset.interval.ms',
    'INT',
    '60000',
    'How often streams clients are to report how far their tasks are.',
    1,
  ),
  row(
    'group.share.delivery.count.limit',
    'INT',
    '5',
    'A record that was given out so often and never acknowledged is archived.',
    2,
  ),
  row(
    'group.share.heartbeat.interval.ms',
    'INT',
    '5000',
    'How often members of share groups are to report.',
    1,
  ),
  row('group.share.max.share.sessions', 'INT', '2000', 'Most share sessions of one broker.', 1),
  row('group.share.max.size', 'INT', '200', 'Most members of one share group.', 1),
  row(
    'group.share.partition.max.record.locks',
    'INT',
    '2000',
    'Most records of a partition that a share group has out or in doubt.',
    100,
  ),
  row(
    'group.share.record.lock.duration.ms',
    'INT',
    '30000',
    'How long a member of a share group has a record for itself.',
    1000,
  ),
  row(
    'group.share.session.timeout.ms',
    'INT',
    '45000',
    'A member of a share group that is not heard of for so long is removed.',
    1,
  ),
  row(
    'share.coordinator.state.topic.min.isr',
    'INT',
    '2',
    'min.insync.replicas of __share_group_state, fixed at its creation.',
    1,
  ),
  row(
    'share.coordinator.state.topic.num.partitions',
    'INT',
    '50',
    'Partitions of __share_group_state, fixed at its creation.',
    1,
  ),
  row(
    'share.coordinator.state.topic.replication.factor',
    'INT',
    '3',
    'Replicas of __share_group_state; fewer only where spec.replicas is.',
    1,
  ),
  row(
    'group.initial.rebalance.delay.ms',
    'INT',
    '3000',
    'How long an empty group waits for more members before its first rebalance.',
    0,
  ),
  row(
    'group.max.session.timeout.ms',
    'INT',
    '1800000',
    'Longest session timeout that a group member may ask for.',
    1,
  ),
  row('group.max.size', 'INT', '2147483647', 'Most members of one group.', 1),
  row(
    'group.min.session.timeout.ms',
    'INT',
    '6000',
    'Shortest session timeout that a group member may ask for.',
    1,
  ),
  row(
    'follower.replication.throttled.rate',
    'LONG',
    '9223372036854775807',
    'Bytes a second that throttled replicas on this broker take from their leaders.',
    0,
  ),
  row(
    'leader.replication.throttled.rate',
    'LONG',
    '9223372036854775807',
    'Bytes a second that this broker sends to throttled replicas that are behind.',
    0,
  ),
  row(
    'queued.max.request.bytes',
    'LONG',
    '-1',
    'Memory that requests and answers of clients, replication and decompression may take in a broker, all together; read when it starts. -1: three eighths of the memory limit of its pod. Beyond it connections are not read.',
  ),
  row(
    'replica.alter.log.dirs.io.max.bytes.per.second',
    'DOUBLE',
    '1.7976931348623157E308',
    'Accepted for tools; a broker has one log directory.',
    1,
  ),
  row(
    'leader.imbalance.check.interval.seconds',
    'LONG',
    '300',
    'How often leadership is checked against the preferred replicas.',
    1,
  ),
  row('log.cleaner.backoff.ms', 'LONG', '15000', 'Pause between two looks for logs to compact.', 0),
  row(
    'log.cleaner.dedupe.buffer.size',
    'LONG',
    '134217728',
    'Memory for keys during compaction; a quarter of it is used by one run.',
    1048576,
  ),
  row(
    'log.scrub.bytes.per.second',
    'LONG',
    '10485760',
    'Most bytes that are read in a second to find damage in stored records.',
    1,
  ),
  row(
    'log.scrub.interval.ms',
    'LONG',
    '604800000',
    'Within this time every stored record is read and compared with its checksum, if log.scrub.bytes.per.second is enough for that.',
    1000,
  ),
  row('log.cleaner.enable', 'BOOLEAN', 'true', 'Whether compacted topics are compacted.'),
  row(
    'log.cleaner.io.max.bytes.per.second',
    'DOUBLE',
    '1.7976931348623157E308',
    'Most bytes that compaction reads in a second.',
    1,
  ),
  row(
    'log.retention.check.interval.ms',
    'LONG',
    '300000',
    'How often logs are checked for segments to drop.',
    1,
  ),
  row(
    'max.connection.creation.rate',
    'INT',
    '2147483647',
    'Most connections that a broker accepts in a second; others wait.',
    1,
  ),
  row(
    'max.connections',
    'INT',
    '2147483647',
    'Most client connections of one broker; others wait until one ends.',
    0,
  ),
  row(
    'max.connections.per.ip',
    'INT',
    '2147483647',
    'Most connections from one address; others are closed.',
    0,
  ),
  row(
    'max.connections.per.ip.overrides',
    'STRING',
    '',
    'The same for single addresses: 10.0.0.1:100,10.0.0.2:200. Names are not looked up.',
  ),
  row(
    'max.incremental.fetch.session.cache.slots',
    'INT',
    '1000',
    'Most incremental fetch sessions of one broker.',
    0,
  ),
  row('num.partitions', 'INT', '1', 'Partitions of a topic that does not say.', 1),
  row(
    'offset.metadata.max.bytes',
    'INT',
    '4096',
    'Longest text that may be committed with an offset.',
    0,
  ),
  row(
    'offsets.retention.check.interval.ms',
    'LONG',
    '600000',
    'How often offsets that nobody uses are looked for.',
    1,
  ),
  row(
    'offsets.retention.minutes',
    'INT',
    '10080',
    'How long the offsets of an empty group are kept.',
    1,
  ),
  row(
    'offsets.topic.num.partitions',
    'INT',
    '50',
    'Partitions of __consumer_offsets, fixed at its creation.',
    1,
  ),
  row(
    'offsets.topic.replication.factor',
    'INT',
    '3',
    'Replicas of __consumer_offsets; fewer only where spec.replicas is.',
    1,
  ),
  row(
    'producer.id.expiration.ms',
    'INT',
    '86400000',
    'How long the sequence of an idle idempotent producer is remembered.',
    1,
  ),
  row(
    'replica.lag.time.max.ms',
    'LONG',
    '30000',
    'A follower that was not caught up for this long leaves the ISR.',
    1,
  ),
  row(
    'replica.selector.class',
    'STRING',
    '',
    'RackAwareReplicaSelector lets consumers read from a replica in their own rack.',
  ),
  {
    ...row(
      'socket.request.max.bytes',
      'INT',
      '104857600',
      'Largest request; a larger one closes the connection. Clients cannot change it.',
      1,
    ),
    readOnly: true,
  },
  row(
    'transaction.abort.timed.out.transaction.cleanup.interval.ms',
    'INT',
    '10000',
    'How often transactions are checked for their time limit.',
    1,
  ),
  row(
    'transaction.max.timeout.ms',
    'INT',
    '900000',
    'Longest time that a producer may ask for its transactions.',
    1,
  ),
  row(
    'transaction.partition.verification.enable',
    'BOOLEAN',
    'true',
    'Whether a partition asks the coordinator before it joins a transaction of an older client.',
  ),
  row(
    'transaction.remove.expired.transaction.cleanup.interval.ms',
    'INT',
    '3600000',
    'How often transactional ids that nobody uses are looked for.',
    1,
  ),
  row(
    'transaction.state.log.num.partitions',
    'INT',
    '50',
    'Partitions of __transaction_state, fixed at its creation.',
    1,
  ),
  row(
    'transaction.state.log.replication.factor',
    'INT',
    '3',
    'Replicas of __transaction_state; fewer only where spec.replicas is.',
    1,
  ),
  row(
    'transaction.state.log.min.isr',
    'INT',
    '2',
    'min.insync.replicas of __transaction_state, fixed at its creation.',
    1,
  ),
  row(
    'transactional.id.expiration.ms',
    'INT',
    '604800000',
    'A transactional id that is idle for so long is forgotten.',
    1,
  ),
  ...bounds,
  ...[
    ['offsets.topic.segment.bytes', '__consumer_offsets'],
    ['transaction.state.log.segment.bytes', '__transaction_state'],
    ['share.coordinator.state.topic.segment.bytes', '__share_group_state'],
  ].map(([name = '', topic = '']) =>
    row(name, 'INT', '104857600', `segment.bytes of ${topic}, fixed at its creation.`, 1_048_576),
  ),
];

/** Broker settings that are the defaults of topic settings; the first synonym carries the value. */
const forTopics: readonly Setting[] = topicSettings.flatMap((setting) => {
  const [name] = setting.synonyms;
  return name === undefined ? [] : [{ ...setting, name }];
});

export const brokerSettings: readonly Setting[] = [...own, ...forTopics, ...acceptedSettings].sort(
  (a, b) => a.name.localeCompare(b.name),
);

export const brokerSettingsByName: ReadonlyMap<string, Setting> = new Map(
  brokerSettings.map((s) => [s.name, s]),
);
