/** InitProducerId, API key 22, versions 0-6. */
import { bool, field, type Infer, int16, int32, int64, message, string } from '../schema.ts';

export const initProducerIdRequest = message(
  { name: 'InitProducerIdRequest', versions: [0, 6], flexibleSince: 2 },
  {
    transactionalId: field(string, { nullable: 0 }),
    transactionTimeoutMs: int32,
    producerId: field(int64, { since: 3, default: -1 }),
    producerEpoch: field(int16, { since: 3, default: -1 }),
    enable2Pc: field(bool, { since: 6 }),
    keepPreparedTxn: field(bool, { since: 6 }),
  },
);
export type InitProducerIdRequest = Infer<typeof initProducerIdRequest>;

export const initProducerIdResponse = message(
  { name: 'InitProducerIdResponse', versions: [0, 6], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: field(int64, { default: -1 }),
    producerEpoch: int16,
    ongoingTxnProducerId: field(int64, { since: 6, default: -1 }),
    ongoingTxnProducerEpoch: field(int16, { since: 6, default: -1 }),
  },
);
export type InitProducerIdResponse = Infer<typeof initProducerIdResponse>;
