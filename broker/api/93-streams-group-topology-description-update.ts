/**
 * StreamsGroupTopologyDescriptionUpdate (93). Descriptions are kept by a plugin of the broker
 * (KIP-1331); there is none here, and clients are never asked for them.
 */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  streamsGroupTopologyDescriptionUpdateRequest,
  streamsGroupTopologyDescriptionUpdateResponse,
} from '../../proto/kafka/messages/93-streams-group-topology-description-update.ts';
import { api } from './handler.ts';

export function streamsGroupTopologyDescriptionUpdate() {
  return api({
    key: 93,
    name: 'StreamsGroupTopologyDescriptionUpdate',
    request: streamsGroupTopologyDescriptionUpdateRequest,
    response: streamsGroupTopologyDescriptionUpdateResponse,
    handle: () => ({
      errorCode: codeOf('UNSUPPORTED_VERSION'),
      errorMessage: 'this cluster keeps no descriptions of topologies',
    }),
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
