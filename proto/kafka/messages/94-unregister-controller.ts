/** UnregisterController, API key 94, versions 0. */
import { field, type Infer, int16, int32, message, sentence } from '../schema.ts';

export const unregisterControllerRequest = message(
  { name: 'UnregisterControllerRequest', versions: [0, 0], flexibleSince: 0 },
  {
    controllerId: int32,
  },
);
export type UnregisterControllerRequest = Infer<typeof unregisterControllerRequest>;

export const unregisterControllerResponse = message(
  { name: 'UnregisterControllerResponse', versions: [0, 0], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
  },
);
export type UnregisterControllerResponse = Infer<typeof unregisterControllerResponse>;
