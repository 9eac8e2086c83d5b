/** Heartbeat (12). v3 static members. */
import { codeOf } from '../../proto/kafka/errors.ts';
import { heartbeatRequest, heartbeatResponse } from '../../proto/kafka/messages/12-heartbeat.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function heartbeat({ groups }: Ports) {
  return api({
    key: 12,
    name: 'Heartbeat',
    request: heartbeatRequest,
    response: heartbeatResponse,
    urgent: true,
    handle: ({ groupId, generationId, memberId, groupInstanceId }) => ({
      errorCode: codeOf(
        groups.heartbeat({
          groupId,
          generation: generationId,
          memberId,
          instanceId: groupInstanceId,
        }),
      ),
    }),
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
