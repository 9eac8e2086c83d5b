/** AlterConfigs, API key 33, versions 0-2. */
import {
  array,
  bool,
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

export const alterConfigsRequest = message(
  { name: 'AlterConfigsRequest', versions: [0, 2], flexibleSince: 2 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
    validateOnly: bool,
  },
);
export type AlterConfigsRequest = Infer<typeof alterConfigsRequest>;

export const alterConfigsResponse = message(
  { name: 'AlterConfigsResponse', versions: [0, 2], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    responses: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        resourceType: int8,
        resourceName: string,
      }),
    ),
  },
);
export type AlterConfigsResponse = Infer<typeof alterConfigsResponse>;
