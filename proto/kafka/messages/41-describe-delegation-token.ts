/** DescribeDelegationToken, API key 41, versions 1-3. */
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

export const describeDelegationTokenRequest = message(
  { name: 'DescribeDelegationTokenRequest', versions: [1, 3], flexibleSince: 2 },
  {
    owners: field(
      array(
        struct({
          principalType: string,
          principalName: string,
        }),
      ),
      { nullable: 0 },
    ),
  },
);
export type DescribeDelegationTokenRequest = Infer<typeof describeDelegationTokenRequest>;

export const describeDelegationTokenResponse = message(
  { name: 'DescribeDelegationTokenResponse', versions: [1, 3], flexibleSince: 2 },
  {
    errorCode: int16,
    tokens: array(
      struct({
        principalType: string,
        principalName: string,
        tokenRequesterPrincipalType: field(string, { since: 3 }),
        tokenRequesterPrincipalName: field(string, { since: 3 }),
        issueTimestamp: int64,
        expiryTimestamp: int64,
        maxTimestamp: int64,
        tokenId: string,
        hmac: bytes,
        renewers: array(
          struct({
            principalType: string,
            principalName: string,
          }),
        ),
      }),
    ),
    throttleTimeMs: int32,
  },
);
export type DescribeDelegationTokenResponse = Infer<typeof describeDelegationTokenResponse>;
