/** CreateDelegationToken, API key 38, versions 1-3. */
import {
  array,
  bytes,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

export const createDelegationTokenRequest = message(
  { name: 'CreateDelegationTokenRequest', versions: [1, 3], flexibleSince: 2 },
  {
    ownerPrincipalType: field(string, { since: 3, nullable: 3 }),
    ownerPrincipalName: field(string, { since: 3, nullable: 3 }),
    renewers: array(
      struct({
        principalType: string,
        principalName: string,
      }),
    ),
    maxLifetimeMs: int64,
  },
);
export type CreateDelegationTokenRequest = Infer<typeof createDelegationTokenRequest>;

export const createDelegationTokenResponse = message(
  { name: 'CreateDelegationTokenResponse', versions: [1, 3], flexibleSince: 2 },
  {
    errorCode: int16,
    principalType: string,
    principalName: string,
    tokenRequesterPrincipalType: field(string, { since: 3 }),
    tokenRequesterPrincipalName: field(string, { since: 3 }),
    issueTimestampMs: int64,
    expiryTimestampMs: int64,
    maxTimestampMs: int64,
    tokenId: string,
    hmac: bytes,
    throttleTimeMs: int32,
  },
);
export type CreateDelegationTokenResponse = Infer<typeof createDelegationTokenResponse>;
