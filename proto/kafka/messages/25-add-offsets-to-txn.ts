/** AddOffsetsToTxn, API key 25, versions 0-4. */
import { type Infer, int16, int32, int64, message, string } from '../schema.ts';

export const addOffsetsToTxnRequest = message(
  { name: 'AddOffsetsToTxnRequest', versions: [0, 4], flexibleSince: 3 },
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
);
export type AddOffsetsToTxnRequest = Infer<typeof addOffsetsToTxnRequest>;

export const addOffsetsToTxnResponse = message(
  { name: 'AddOffsetsToTxnResponse', versions: [0, 4], flexibleSince: 3 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
  },
);
export type AddOffsetsToTxnResponse = Infer<typeof addOffsetsToTxnResponse>;
