/** Records of __transaction_state. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

export const transactionLogKey = message(
  { name: 'TransactionLogKey', versions: [0, 0] },
  {
    transactionalId: string,
  },
);
export type TransactionLogKey = Infer<typeof transactionLogKey>;

export const transactionLogValue = message(
  { name: 'TransactionLogValue', versions: [0, 1], flexibleSince: 1 },
  {
    producerId: int64,
    previousProducerId: field(int64, { since: 1, tag: 0, tagSince: 1, default: -1 }),
    nextProducerId: field(int64, { since: 1, tag: 1, tagSince: 1, default: -1 }),
    producerEpoch: int16,
    nextProducerEpoch: field(int16, { since: 1, tag: 3, tagSince: 1, default: -1 }),
    transactionTimeoutMs: int32,
    transactionStatus: int8,
    transactionPartitions: field(
      array(
        struct({
          topic: string,
          partitionIds: array(int32),
        }),
      ),
      { nullable: 0 },
    ),
    transactionLastUpdateTimestampMs: int64,
    transactionStartTimestampMs: int64,
    clientTransactionVersion: field(int16, { since: 1, tag: 2, tagSince: 1 }),
  },
);
export type TransactionLogValue = Infer<typeof transactionLogValue>;
