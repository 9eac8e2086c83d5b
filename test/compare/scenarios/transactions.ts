/** What both systems are asked: Transactions. */
import { TRANSACTIONAL_BIT } from '../../../proto/kafka/record-batch.ts';
import {
  ask,
  baseOffsetKind,
  type Context,
  idOf,
  offsets,
  produceTo,
  type RequestOf,
  records,
  soft,
  sorted,
} from './steps.ts';

export function askTransactions(): void {
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
}
