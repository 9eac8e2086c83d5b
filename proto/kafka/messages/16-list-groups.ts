/** ListGroups, API key 16, versions 0-5. */
import { array, field, type Infer, int16, int32, message, string, struct } from '../schema.ts';

export const listGroupsRequest = message(
  { name: 'ListGroupsRequest', versions: [0, 5], flexibleSince: 3 },
  {
    statesFilter: field(array(string), { since: 4 }),
    typesFilter: field(array(string), { since: 5 }),
  },
);
export type ListGroupsRequest = Infer<typeof listGroupsRequest>;

export const listGroupsResponse = message(
  { name: 'ListGroupsResponse', versions: [0, 5], flexibleSince: 3 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: field(string, { since: 4 }),
        groupType: field(string, { since: 5 }),
      }),
    ),
  },
);
export type ListGroupsResponse = Infer<typeof listGroupsResponse>;
