/** ListTransactions, API key 66, versions 0-2. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

export const listTransactionsRequest = message(
  { name: 'ListTransactionsRequest', versions: [0, 2], flexibleSince: 0 },
  {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: field(int64, { since: 1, default: -1 }),
    transactionalIdPattern: field(string, { since: 2, nullable: 2, default: null }),
  },
);
export type ListTransactionsRequest = Infer<typeof listTransactionsRequest>;

export const listTransactionsResponse = message(
  { name: 'ListTransactionsResponse', versions: [0, 2], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array(
      struct({
        transactionalId: string,
        producerId: int64,
        transactionState: string,
      }),
    ),
  },
);
export type ListTransactionsResponse = Infer<typeof listTransactionsResponse>;
