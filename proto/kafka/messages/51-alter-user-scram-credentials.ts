/** AlterUserScramCredentials, API key 51, versions 0. */
import {
  array,
  bytes,
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

export const alterUserScramCredentialsRequest = message(
  { name: 'AlterUserScramCredentialsRequest', versions: [0, 0], flexibleSince: 0 },
  {
    deletions: array(
      struct({
        name: string,
        mechanism: int8,
      }),
    ),
    upsertions: array(
      struct({
        name: string,
        mechanism: int8,
        iterations: int32,
        salt: bytes,
        saltedPassword: bytes,
      }),
    ),
  },
);
export type AlterUserScramCredentialsRequest = Infer<typeof alterUserScramCredentialsRequest>;

export const alterUserScramCredentialsResponse = message(
  { name: 'AlterUserScramCredentialsResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        user: string,
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
      }),
    ),
  },
);
export type AlterUserScramCredentialsResponse = Infer<typeof alterUserScramCredentialsResponse>;
