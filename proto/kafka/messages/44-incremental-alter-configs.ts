/** IncrementalAlterConfigs, API key 44, versions 0-1. */
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

export const incrementalAlterConfigsRequest = message(
  { name: 'IncrementalAlterConfigsRequest', versions: [0, 1], flexibleSince: 1 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            configOperation: int8,
            value: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
    validateOnly: bool,
  },
);
export type IncrementalAlterConfigsRequest = Infer<typeof incrementalAlterConfigsRequest>;

export const incrementalAlterConfigsResponse = message(
  { name: 'IncrementalAlterConfigsResponse', versions: [0, 1], flexibleSince: 1 },
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
export type IncrementalAlterConfigsResponse = Infer<typeof incrementalAlterConfigsResponse>;
