/**
 * InitProducerId (22). With a transactional id it goes to that id's coordinator; v3 lets a producer
 * bump its own epoch (KIP-360); v4 PRODUCER_FENCED. v6 (two-phase commit) is not stable.
 */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../../proto/kafka/messages/22-init-producer-id.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

const EPOCH_LAST = 0x7ffe;

/** Before v4 a fenced producer is told so in another word. */
function known(error: ErrorName, apiVersion: number): ErrorName {
  return error === 'PRODUCER_FENCED' && apiVersion < 4 ? 'INVALID_PRODUCER_EPOCH' : error;
}

export function initProducerId({ nextProducerId, transactions }: Ports) {
  return api({
    key: 22,
    name: 'InitProducerId',
    request: initProducerIdRequest,
    response: initProducerIdResponse,
    versions: [0, 5],
    async handle(request, { apiVersion }) {
      const { transactionalId, producerId, producerEpoch, transactionTimeoutMs } = request;
      if (producerId >= 0 !== producerEpoch >= 0)
        return { errorCode: codeOf('INVALID_REQUEST'), producerEpoch: -1 };
      if (transactionalId !== null) {
        const expected = producerId < 0 ? null : { producerId, epoch: producerEpoch };
        const answer = await transactions.initProducer(
          transactionalId,
          transactionTimeoutMs,
          expected,
        );
        return {
          errorCode: codeOf(known(answer.error, apiVersion)),
          producerId: answer.producerId,
          producerEpoch: answer.epoch,
        };
      }
      if (producerId >= 0 && producerEpoch < EPOCH_LAST)
        return { errorCode: 0, producerId, producerEpoch: producerEpoch + 1 };
      return { errorCode: 0, producerId: await nextProducerId(), producerEpoch: 0 };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), producerEpoch: -1 }),
  });
}
