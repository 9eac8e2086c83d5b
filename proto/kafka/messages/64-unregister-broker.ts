/** UnregisterBroker, API key 64, versions 0. */
import { field, type Infer, int16, int32, message, sentence } from '../schema.ts';

export const unregisterBrokerRequest = message(
  { name: 'UnregisterBrokerRequest', versions: [0, 0], flexibleSince: 0 },
  {
    brokerId: int32,
  },
);
export type UnregisterBrokerRequest = Infer<typeof unregisterBrokerRequest>;

export const unregisterBrokerResponse = message(
  { name: 'UnregisterBrokerResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
  },
);
export type UnregisterBrokerResponse = Infer<typeof unregisterBrokerResponse>;
