/** What can be done with transactions: list, describe, look for those that hang, abort. */
import { type AdminClient, check } from '../client/admin.ts';
import { errorName } from '../proto/kafka/errors.ts';
import { apis } from '../proto/kafka/messages/index.ts';
import { table } from './groups.ts';
import type { TopicPartition } from './offset-resets.ts';
import { partitionsOf } from './partitions.ts';

async function all(admin: AdminClient) {
  const { brokers } = await admin.cluster();
  const found = [];
  for (const { brokerId } of brokers) {
    const answer = await admin.broker(brokerId, apis.ListTransactions, 1, {});
    check(answer.errorCode);
    for (const one of answer.transactionStates) found.push({ ...one, coordinator: brokerId });
  }
  return found;
}

export async function listTransactions(admin: AdminClient): Promise<string[]> {
  return table([
    ['TransactionalId', 'Coordinator', 'ProducerId', 'TransactionState'],
    ...(await all(admin)).map(({ transactionalId, coordinator, producerId, transactionState }) => [
      transactionalId,
      String(coordinator),
      String(producerId),
      transactionState,
    ]),
  ]);
}

export async function describeTransaction(admin: AdminClient, id: string): Promise<string[]> {
  const listed = (await all(admin)).find(({ transactionalId }) => transactionalId === id);
  if (listed === undefined) throw new Error(`the transactional id ${id} is unknown`);
  const answer = await admin.broker(listed.coordinator, apis.DescribeTransactions, 0, {
    transactionalIds: [id],
  });
  const [txn] = answer.transactionStates;
  check(txn?.errorCode ?? -1);
  if (txn === undefined) return [];
  const partitions = txn.topics.flatMap(({ topic, partitions: ids }) =>
    ids.map((p) => `${topic}-${p}`),
  );
  return table([
    [
      'CoordinatorId',
      'TransactionalId',
      'ProducerId',
      'ProducerEpoch',
      'TransactionState',
      'TransactionTimeoutMs',
      'CurrentTransactionStartTimeMs',
      'TopicPartitions',
    ],
    [
      String(listed.coordinator),
      id,
      String(txn.producerId),
      String(txn.producerEpoch),
      txn.transactionState,
      String(txn.transactionTimeoutMs),
      String(txn.transactionStartTimeMs),
      partitions.join(','),
    ],
  ]);
}

interface OpenHere extends TopicPartition {
  readonly leader: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly startOffset: number;
  readonly lastTimestamp: number;
}

/** Transactions that partitions show as open. */
async function openIn(
  admin: AdminClient,
  partitions: readonly TopicPartition[],
): Promise<OpenHere[]> {
  const topics = await admin.topics([...new Set(partitions.map(({ topic }) => topic))]);
  const open: OpenHere[] = [];
  for (const { topic, partition } of partitions) {
    const leader =
      topics
        .find(({ name }) => name === topic)
        ?.partitions.find(({ partitionIndex }) => partitionIndex === partition)?.leaderId ?? -1;
    if (leader < 0) continue;
    const answer = await admin.broker(leader, apis.DescribeProducers, 0, {
      topics: [{ name: topic, partitionIndexes: [partition] }],
    });
    for (const producer of answer.topics[0]?.partitions[0]?.activeProducers ?? []) {
      const { producerId, producerEpoch, coordinatorEpoch, lastTimestamp } = producer;
      const startOffset = producer.currentTxnStartOffset;
      if (startOffset >= 0)
        open.push({
          topic,
          partition,
          leader,
          producerId,
          producerEpoch,
          coordinatorEpoch,
          startOffset,
          lastTimestamp,
        });
    }
  }
  return open;
}

/** Open in a partition for longer than that, and unknown to any coordinator as ongoing. */
export async function findHanging(
  admin: AdminClient,
  of: { topics: readonly string[] | null; olderThanMs: number; nowMs: number },
): Promise<string[]> {
  const open = await openIn(admin, await partitionsOf(admin, of.topics));
  const ongoing = new Set(
    (await all(admin))
      .filter(({ transactionState }) => /^(Ongoing|Prepare)/.test(transactionState))
      .map(({ producerId }) => producerId),
  );
  const hanging = open.filter(
    ({ producerId, lastTimestamp }) =>
      !ongoing.has(producerId) && of.nowMs - lastTimestamp > of.olderThanMs,
  );
  return table([
    [
      'Topic',
      'Partition',
      'ProducerId',
      'ProducerEpoch',
      'CoordinatorEpoch',
      'StartOffset',
      'LastTimestamp',
    ],
    ...hanging.map((one) => [
      one.topic,
      String(one.partition),
      String(one.producerId),
      String(one.producerEpoch),
      String(one.coordinatorEpoch),
      String(one.startOffset),
      new Date(one.lastTimestamp).toISOString(),
    ]),
  ]);
}

/** Ends a transaction in one partition with an abort marker: for those that hang. */
export async function abortTransaction(
  admin: AdminClient,
  of: TopicPartition & { startOffset: number },
): Promise<void> {
  const { topic, partition, startOffset } = of;
  const found = (await openIn(admin, [{ topic, partition }])).find(
    (one) => one.startOffset === startOffset,
  );
  if (found === undefined)
    throw new Error(`no transaction is open in ${topic}-${partition} since offset ${startOffset}`);
  const { leader, producerId, producerEpoch, coordinatorEpoch } = found;
  const marker = {
    producerId,
    producerEpoch,
    coordinatorEpoch: Math.max(coordinatorEpoch, 0),
    transactionResult: false,
    topics: [{ name: topic, partitionIndexes: [partition] }],
  };
  const answer = await admin.broker(leader, apis.WriteTxnMarkers, 1, { markers: [marker] });
  const code = answer.markers[0]?.topics[0]?.partitions[0]?.errorCode ?? -1;
  check(code, errorName(code));
}
