/** DescribeUserScramCredentials, API key 50, versions 0. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const describeUserScramCredentialsRequest = message(
  { name: 'DescribeUserScramCredentialsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    users: field(
      array(
        struct({
          name: string,
        }),
      ),
      { nullable: 0 },
    ),
  },
);
export type DescribeUserScramCredentialsRequest = Infer<typeof describeUserScramCredentialsRequest>;

export const describeUserScramCredentialsResponse = message(
  { name: 'DescribeUserScramCredentialsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    results: array(
      struct({
        user: string,
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        credentialInfos: array(
          struct({
            mechanism: int8,
            iterations: int32,
          }),
        ),
      }),
    ),
  },
);
export type DescribeUserScramCredentialsResponse = Infer<
  typeof describeUserScramCredentialsResponse
>;
