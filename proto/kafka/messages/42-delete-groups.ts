/** DeleteGroups, API key 42, versions 0-3. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const deleteGroupsRequest = message(
  { name: 'DeleteGroupsRequest', versions: [0, 3], flexibleSince: 2 },
  {
    groupsNames: array(string),
  },
);
export type DeleteGroupsRequest = Infer<typeof deleteGroupsRequest>;

export const deleteGroupsResponse = message(
  { name: 'DeleteGroupsResponse', versions: [0, 3], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        groupId: string,
        errorCode: int16,
        errorMessage: field(sentence, { since: 3, nullable: 3, default: null }),
      }),
    ),
  },
);
export type DeleteGroupsResponse = Infer<typeof deleteGroupsResponse>;
