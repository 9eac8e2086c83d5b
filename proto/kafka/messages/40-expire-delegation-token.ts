/** ExpireDelegationToken, API key 40, versions 1-2. */
import { bytes, type Infer, int16, int32, int64, message } from '../schema.ts';

export const expireDelegationTokenRequest = message(
  { name: 'ExpireDelegationTokenRequest', versions: [1, 2], flexibleSince: 2 },
  {
    hmac: bytes,
    expiryTimePeriodMs: int64,
  },
);
export type ExpireDelegationTokenRequest = Infer<typeof expireDelegationTokenRequest>;

export const expireDelegationTokenResponse = message(
  { name: 'ExpireDelegationTokenResponse', versions: [1, 2], flexibleSince: 2 },
  {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32,
  },
);
export type ExpireDelegationTokenResponse = Infer<typeof expireDelegationTokenResponse>;
