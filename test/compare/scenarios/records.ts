/** What both systems are asked: Producing, idempotence, reading. */
import { buildBatch, CONTROL_BIT } from '../../../proto/kafka/record-batch.ts';
import {
  ask,
  baseOffsetKind,
  type Context,
  idOf,
  NOW,
  produceTo,
  type RequestOf,
  type ResponseOf,
  records,
  soft,
  sorted,
  span,
} from './steps.ts';

export function askRecords(): void {
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
}
