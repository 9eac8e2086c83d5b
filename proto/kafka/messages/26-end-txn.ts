/** EndTxn, API key 26, versions 0-5. */
import { bool, field, type Infer, int16, int32, int64, message, string } from '../schema.ts';

export const endTxnRequest = message(
  { name: 'EndTxnRequest', versions: [0, 5], flexibleSince: 3 },
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
);
export type EndTxnRequest = Infer<typeof endTxnRequest>;

export const endTxnResponse = message(
  { name: 'EndTxnResponse', versions: [0, 5], flexibleSince: 3 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: field(int64, { since: 5, default: -1 }),
    producerEpoch: field(int16, { since: 5, default: -1 }),
  },
);
export type EndTxnResponse = Infer<typeof endTxnResponse>;
