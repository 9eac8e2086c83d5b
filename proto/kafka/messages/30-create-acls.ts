/** CreateAcls, API key 30, versions 1-3. */
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

export const createAclsRequest = message(
  { name: 'CreateAclsRequest', versions: [1, 3], flexibleSince: 2 },
  {
    creations: array(
      struct({
        resourceType: int8,
        resourceName: string,
        resourcePatternType: field(int8, { default: 3 }),
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    ),
  },
);
export type CreateAclsRequest = Infer<typeof createAclsRequest>;

export const createAclsResponse = message(
  { name: 'CreateAclsResponse', versions: [1, 3], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
      }),
    ),
  },
);
export type CreateAclsResponse = Infer<typeof createAclsResponse>;
