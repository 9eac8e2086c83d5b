/** RenewDelegationToken, API key 39, versions 1-2. */
import { bytes, type Infer, int16, int32, int64, message } from '../schema.ts';

export const renewDelegationTokenRequest = message(
  { name: 'RenewDelegationTokenRequest', versions: [1, 2], flexibleSince: 2 },
  {
    hmac: bytes,
    renewPeriodMs: int64,
  },
);
export type RenewDelegationTokenRequest = Infer<typeof renewDelegationTokenRequest>;

export const renewDelegationTokenResponse = message(
  { name: 'RenewDelegationTokenResponse', versions: [1, 2], flexibleSince: 2 },
  {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32,
  },
);
export type RenewDelegationTokenResponse = Infer<typeof renewDelegationTokenResponse>;
