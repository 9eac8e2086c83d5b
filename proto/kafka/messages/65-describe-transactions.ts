/** DescribeTransactions, API key 65, versions 0. */
import { array, type Infer, int16, int32, int64, message, string, struct } from '../schema.ts';

export const describeTransactionsRequest = message(
  { name: 'DescribeTransactionsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    transactionalIds: array(string),
  },
);
export type DescribeTransactionsRequest = Infer<typeof describeTransactionsRequest>;

export const describeTransactionsResponse = message(
  { name: 'DescribeTransactionsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    transactionStates: array(
      struct({
        errorCode: int16,
        transactionalId: string,
        transactionState: string,
        transactionTimeoutMs: int32,
        transactionStartTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(
          struct({
            topic: string,
            partitions: array(int32),
          }),
        ),
      }),
    ),
  },
);
export type DescribeTransactionsResponse = Infer<typeof describeTransactionsResponse>;
