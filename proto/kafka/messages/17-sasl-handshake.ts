/** SaslHandshake, API key 17, versions 0-1. */
import { array, type Infer, int16, message, string } from '../schema.ts';

export const saslHandshakeRequest = message(
  { name: 'SaslHandshakeRequest', versions: [0, 1] },
  {
    mechanism: string,
  },
);
export type SaslHandshakeRequest = Infer<typeof saslHandshakeRequest>;

export const saslHandshakeResponse = message(
  { name: 'SaslHandshakeResponse', versions: [0, 1] },
  {
    errorCode: int16,
    mechanisms: array(string),
  },
);
export type SaslHandshakeResponse = Infer<typeof saslHandshakeResponse>;
