/** DeleteGroups (42): only groups without members go. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  deleteGroupsRequest,
  deleteGroupsResponse,
} from '../../proto/kafka/messages/42-delete-groups.ts';
import { mapSomeAtOnce, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const GROUPS_AT_ONCE = 100;

export function deleteGroups({ groups, turn }: Ports) {
  return api({
    key: 42,
    name: 'DeleteGroups',
    request: deleteGroupsRequest,
    response: deleteGroupsResponse,
    handle: async ({ groupsNames }, { connection }) => ({
      results: await mapSomeAtOnce(
        new Pace(turn.share, connection),
        [...new Set(groupsNames)],
        GROUPS_AT_ONCE,
        async (groupId) => ({ groupId, errorCode: codeOf(await groups.deleteGroup(groupId)) }),
      ),
    }),
    failed: ({ groupsNames }, error) => ({
      results: groupsNames.map((groupId) => ({ groupId, errorCode: codeOf(error) })),
    }),
  });
}
