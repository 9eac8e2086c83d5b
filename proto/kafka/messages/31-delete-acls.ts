/** DeleteAcls, API key 31, versions 1-3. */
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

export const deleteAclsRequest = message(
  { name: 'DeleteAclsRequest', versions: [1, 3], flexibleSince: 2 },
  {
    filters: array(
      struct({
        resourceTypeFilter: int8,
        resourceNameFilter: field(string, { nullable: 0 }),
        patternTypeFilter: field(int8, { default: 3 }),
        principalFilter: field(string, { nullable: 0 }),
        hostFilter: field(string, { nullable: 0 }),
        operation: int8,
        permissionType: int8,
      }),
    ),
  },
);
export type DeleteAclsRequest = Infer<typeof deleteAclsRequest>;

export const deleteAclsResponse = message(
  { name: 'DeleteAclsResponse', versions: [1, 3], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    filterResults: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        matchingAcls: array(
          struct({
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0 }),
            resourceType: int8,
            resourceName: string,
            patternType: field(int8, { default: 3 }),
            principal: string,
            host: string,
            operation: int8,
            permissionType: int8,
          }),
        ),
      }),
    ),
  },
);
export type DeleteAclsResponse = Infer<typeof deleteAclsResponse>;
