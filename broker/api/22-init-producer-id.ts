/** InitProducerId (22). Idempotent producers; v3 lets one bump its own epoch (KIP-360). v6 is not stable. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../../proto/kafka/messages/22-init-producer-id.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const EPOCH_MAX = 0x7ffe;

export function initProducerId({ nextProducerId }: Ports) {
  return api({
    key: 22,
    name: 'InitProducerId',
    request: initProducerIdRequest,
    response: initProducerIdResponse,
    versions: [0, 5],
    async handle({ transactionalId, producerId, producerEpoch }) {
      if (transactionalId !== null) return { errorCode: codeOf('INVALID_REQUEST') };
      if (producerId >= 0 && producerEpoch >= 0 && producerEpoch < EPOCH_MAX) {
        return { errorCode: 0, producerId, producerEpoch: producerEpoch + 1 };
      }
      return { errorCode: 0, producerId: await nextProducerId(), producerEpoch: 0 };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), producerEpoch: -1 }),
  });
}
