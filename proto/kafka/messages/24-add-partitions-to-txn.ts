/** AddPartitionsToTxn, API key 24, versions 0-5. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

const addPartitionsToTxnTopic = struct({
  name: string,
  partitions: array(int32),
});
export const addPartitionsToTxnRequest = message(
  { name: 'AddPartitionsToTxnRequest', versions: [0, 5], flexibleSince: 3 },
  {
    transactions: field(
      array(
        struct({
          transactionalId: field(string, { since: 4 }),
          producerId: field(int64, { since: 4 }),
          producerEpoch: field(int16, { since: 4 }),
          verifyOnly: field(bool, { since: 4 }),
          topics: field(array(addPartitionsToTxnTopic), { since: 4 }),
        }),
      ),
      { since: 4 },
    ),
    v3AndBelowTransactionalId: field(string, { until: 3 }),
    v3AndBelowProducerId: field(int64, { until: 3 }),
    v3AndBelowProducerEpoch: field(int16, { until: 3 }),
    v3AndBelowTopics: field(array(addPartitionsToTxnTopic), { until: 3 }),
  },
);
export type AddPartitionsToTxnRequest = Infer<typeof addPartitionsToTxnRequest>;

const addPartitionsToTxnPartitionResult = struct({
  partitionIndex: int32,
  partitionErrorCode: int16,
});
const addPartitionsToTxnTopicResult = struct({
  name: string,
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
});
export const addPartitionsToTxnResponse = message(
  { name: 'AddPartitionsToTxnResponse', versions: [0, 5], flexibleSince: 3 },
  {
    throttleTimeMs: int32,
    errorCode: field(int16, { since: 4 }),
    resultsByTransaction: field(
      array(
        struct({
          transactionalId: field(string, { since: 4 }),
          topicResults: field(array(addPartitionsToTxnTopicResult), { since: 4 }),
        }),
      ),
      { since: 4 },
    ),
    resultsByTopicV3AndBelow: field(array(addPartitionsToTxnTopicResult), { until: 3 }),
  },
);
export type AddPartitionsToTxnResponse = Infer<typeof addPartitionsToTxnResponse>;
