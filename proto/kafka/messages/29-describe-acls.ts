/** DescribeAcls, API key 29, versions 1-3. */
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

export const describeAclsRequest = message(
  { name: 'DescribeAclsRequest', versions: [1, 3], flexibleSince: 2 },
  {
    resourceTypeFilter: int8,
    resourceNameFilter: field(string, { nullable: 0 }),
    patternTypeFilter: field(int8, { default: 3 }),
    principalFilter: field(string, { nullable: 0 }),
    hostFilter: field(string, { nullable: 0 }),
    operation: int8,
    permissionType: int8,
  },
);
export type DescribeAclsRequest = Infer<typeof describeAclsRequest>;

export const describeAclsResponse = message(
  { name: 'DescribeAclsResponse', versions: [1, 3], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        patternType: field(int8, { default: 3 }),
        acls: array(
          struct({
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
export type DescribeAclsResponse = Infer<typeof describeAclsResponse>;
