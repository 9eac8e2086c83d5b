/** DescribeGroups, API key 15, versions 0-6. */
import {
  array,
  bool,
  bytes,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const describeGroupsRequest = message(
  { name: 'DescribeGroupsRequest', versions: [0, 6], flexibleSince: 5 },
  {
    groups: array(string),
    includeAuthorizedOperations: field(bool, { since: 3 }),
  },
);
export type DescribeGroupsRequest = Infer<typeof describeGroupsRequest>;

export const describeGroupsResponse = message(
  { name: 'DescribeGroupsResponse', versions: [0, 6], flexibleSince: 5 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { since: 6, nullable: 6, default: null }),
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: field(string, { since: 4, nullable: 4, default: null }),
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: field(int32, { since: 3, default: -2147483648 }),
      }),
    ),
  },
);
export type DescribeGroupsResponse = Infer<typeof describeGroupsResponse>;
