/**
 * AddPartitionsToTxn (24). v0-3 from producers; v4+ from brokers, for several transactions at once,
 * to add or only to verify (KIP-890).
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  type AddPartitionsToTxnRequest,
  addPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '../../proto/kafka/messages/24-add-partitions-to-txn.ts';
import { api } from './handler.ts';
import { INTERNAL_TOPICS, OFFSETS_TOPIC, type Ports } from './ports.ts';

type Topics = AddPartitionsToTxnRequest['v3AndBelowTopics'];

const answerOf = (topics: Topics, errorOf: (topic: string, partition: number) => ErrorName) =>
  topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: codeOf(errorOf(name, partitionIndex)),
    })),
  }));

export function addPartitionsToTxn({ image, transactions }: Ports) {
  const add = async (
    of: {
      transactionalId: string;
      producerId: number;
      producerEpoch: number;
      verifyOnly: boolean;
      topics: Topics;
    },
    apiVersion: number,
  ) => {
    const { transactionalId, topics } = of;
    const producer = { producerId: of.producerId, epoch: of.producerEpoch };
    const partitions = topics.flatMap(({ name, partitions: ids }) =>
      ids.map((partition) => ({ topic: name, partition })),
    );
    const wrong = new Map<string, ErrorName>();
    for (const { topic, partition } of partitions) {
      const isUnknown = image.topic(topic)?.partitions[partition] === undefined;
      const isInternal = INTERNAL_TOPICS.has(topic) && topic !== OFFSETS_TOPIC;
      if (isUnknown) wrong.set(`${topic}:${partition}`, 'UNKNOWN_TOPIC_OR_PARTITION');
      else if (isInternal) wrong.set(`${topic}:${partition}`, 'TOPIC_AUTHORIZATION_FAILED');
    }
    // All or nothing: where one partition is wrong the others are not attempted.
    if (wrong.size > 0)
      return answerOf(
        topics,
        (topic, p) => wrong.get(`${topic}:${p}`) ?? 'OPERATION_NOT_ATTEMPTED',
      );
    if (of.verifyOnly) {
      const errors = transactions.verify(transactionalId, producer, partitions);
      const byPartition = new Map(
        partitions.map(({ topic, partition }, i) => [`${topic}:${partition}`, errors[i]]),
      );
      return answerOf(topics, (topic, p) => byPartition.get(`${topic}:${p}`) ?? 'NONE');
    }
    const clientVersion = apiVersion >= 5 ? 2 : 0;
    const error = await transactions.addPartitions(transactionalId, producer, partitions, {
      clientVersion,
      patienceMs: 0,
    });
    const told = error === 'PRODUCER_FENCED' && apiVersion < 2 ? 'INVALID_PRODUCER_EPOCH' : error;
    return answerOf(topics, () => told);
  };

  return api({
    key: 24,
    name: 'AddPartitionsToTxn',
    request: addPartitionsToTxnRequest,
    response: addPartitionsToTxnResponse,
    async handle(request, { apiVersion }) {
      if (apiVersion >= 4) {
        const resultsByTransaction = await Promise.all(
          request.transactions.map(async (of) => ({
            transactionalId: of.transactionalId,
            topicResults: await add(of, apiVersion),
          })),
        );
        return { errorCode: 0, resultsByTransaction };
      }
      const of = {
        transactionalId: request.v3AndBelowTransactionalId,
        producerId: request.v3AndBelowProducerId,
        producerEpoch: request.v3AndBelowProducerEpoch,
        verifyOnly: false,
        topics: request.v3AndBelowTopics,
      };
      return { resultsByTopicV3AndBelow: await add(of, apiVersion) };
    },
    failed: (request, error, apiVersion) =>
      apiVersion >= 4
        ? { errorCode: codeOf(error) }
        : { resultsByTopicV3AndBelow: answerOf(request.v3AndBelowTopics, () => error) },
  });
}
