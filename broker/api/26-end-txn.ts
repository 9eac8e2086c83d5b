/** EndTxn (26). v5 bumps the producer's epoch and returns what to use next (KIP-890). */
import { codeOf } from '../../proto/kafka/errors.ts';
import { endTxnRequest, endTxnResponse } from '../../proto/kafka/messages/26-end-txn.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function endTxn({ transactions }: Ports) {
  return api({
    key: 26,
    name: 'EndTxn',
    request: endTxnRequest,
    response: endTxnResponse,
    urgent: true,
    async handle({ transactionalId, producerId, producerEpoch, committed }, { apiVersion }) {
      const clientVersion = apiVersion >= 5 ? 2 : 0;
      const producer = { producerId, epoch: producerEpoch };
      const answer = await transactions.end(transactionalId, producer, committed, clientVersion);
      const isOld = answer.error === 'PRODUCER_FENCED' && apiVersion < 2;
      return {
        errorCode: codeOf(isOld ? 'INVALID_PRODUCER_EPOCH' : answer.error),
        producerId: answer.producerId,
        producerEpoch: answer.epoch,
      };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
