/** SaslAuthenticate, API key 36, versions 0-2. */
import { bytes, field, type Infer, int16, int64, message, sentence } from '../schema.ts';

export const saslAuthenticateRequest = message(
  { name: 'SaslAuthenticateRequest', versions: [0, 2], flexibleSince: 2 },
  {
    authBytes: bytes,
  },
);
export type SaslAuthenticateRequest = Infer<typeof saslAuthenticateRequest>;

export const saslAuthenticateResponse = message(
  { name: 'SaslAuthenticateResponse', versions: [0, 2], flexibleSince: 2 },
  {
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    authBytes: bytes,
    sessionLifetimeMs: field(int64, { since: 1 }),
  },
);
export type SaslAuthenticateResponse = Infer<typeof saslAuthenticateResponse>;
