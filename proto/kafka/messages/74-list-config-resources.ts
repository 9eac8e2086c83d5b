/** ListConfigResources, API key 74, versions 0-1. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  string,
  struct,
} from '../schema.ts';

export const listConfigResourcesRequest = message(
  { name: 'ListConfigResourcesRequest', versions: [0, 1], flexibleSince: 0 },
  {
    resourceTypes: field(array(int8), { since: 1 }),
  },
);
export type ListConfigResourcesRequest = Infer<typeof listConfigResourcesRequest>;

export const listConfigResourcesResponse = message(
  { name: 'ListConfigResourcesResponse', versions: [0, 1], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    configResources: array(
      struct({
        resourceName: string,
        resourceType: field(int8, { since: 1, default: 16 }),
      }),
    ),
  },
);
export type ListConfigResourcesResponse = Infer<typeof listConfigResourcesResponse>;
