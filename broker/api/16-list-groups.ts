/** ListGroups (16). v4 states and a filter on them; v5 group types. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  listGroupsRequest,
  listGroupsResponse,
} from '../../proto/kafka/messages/16-list-groups.ts';
import { stateOf } from '../coordinator/consumer-group.ts';
import { streamsStateOf } from '../coordinator/streams-group.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function listGroups({ groups }: Ports) {
  return api({
    key: 16,
    name: 'ListGroups',
    request: listGroupsRequest,
    response: listGroupsResponse,
    handle({ statesFilter, typesFilter }) {
      if (groups.isLoading)
        return { errorCode: codeOf('COORDINATOR_LOAD_IN_PROGRESS'), groups: [] };
      const states = new Set(statesFilter.map((state) => state.toLowerCase()));
      const types = new Set(typesFilter.map((type) => type.toLowerCase()));
      const all = [
        ...groups.groups().map(({ groupId, protocolType, state }) => ({
          groupId,
          protocolType,
          groupState: state as string,
          groupType: 'classic',
        })),
        ...groups.consumerGroups().map((group) => ({
          groupId: group.groupId,
          protocolType: 'consumer',
          groupState: stateOf(group) as string,
          groupType: 'consumer',
        })),
      ];
      for (const group of groups.streamsGroups()) {
        const groupState = streamsStateOf(group);
        const { groupId } = group;
        all.push({ groupId, protocolType: 'streams', groupState, groupType: 'streams' });
      }
      for (const { groupId, members } of groups.shareGroups()) {
        const groupState = members.size === 0 ? 'Empty' : 'Stable';
        all.push({ groupId, protocolType: 'share', groupState, groupType: 'share' });
      }
      return {
        groups: all.filter(
          ({ groupState, groupType }) =>
            (states.size === 0 || states.has(groupState.toLowerCase())) &&
            (types.size === 0 || types.has(groupType)),
        ),
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), groups: [] }),
  });
}
