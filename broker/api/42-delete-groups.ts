/** DeleteGroups (42): only groups without members go. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  deleteGroupsRequest,
  deleteGroupsResponse,
} from '../../proto/kafka/messages/42-delete-groups.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function deleteGroups({ groups }: Ports) {
  return api({
    key: 42,
    name: 'DeleteGroups',
    request: deleteGroupsRequest,
    response: deleteGroupsResponse,
    handle: async ({ groupsNames }) => ({
      results: await Promise.all(
        groupsNames.map(async (groupId) => ({
          groupId,
          errorCode: codeOf(await groups.deleteGroup(groupId)),
        })),
      ),
    }),
    failed: ({ groupsNames }, error) => ({
      results: groupsNames.map((groupId) => ({ groupId, errorCode: codeOf(error) })),
    }),
  });
}
