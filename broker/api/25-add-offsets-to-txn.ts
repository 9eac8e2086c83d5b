/** AddOffsetsToTxn (25). The group's partition of __consumer_offsets joins the transaction. */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  addOffsetsToTxnRequest,
  addOffsetsToTxnResponse,
} from '../../proto/kafka/messages/25-add-offsets-to-txn.ts';
import { api } from './handler.ts';
import { OFFSETS_TOPIC, type Ports } from './ports.ts';

export function addOffsetsToTxn({ groups, transactions }: Ports) {
  return api({
    key: 25,
    name: 'AddOffsetsToTxn',
    request: addOffsetsToTxnRequest,
    response: addOffsetsToTxnResponse,
    async handle({ transactionalId, producerId, producerEpoch, groupId }, { apiVersion }) {
      const partitions = [{ topic: OFFSETS_TOPIC, partition: groups.partitionFor(groupId) }];
      const producer = { producerId, epoch: producerEpoch };
      const error = await transactions.addPartitions(transactionalId, producer, partitions, {
        clientVersion: 0,
        patienceMs: 0,
      });
      const isOld = error === 'PRODUCER_FENCED' && apiVersion < 2;
      return { errorCode: codeOf(isOld ? 'INVALID_PRODUCER_EPOCH' : error) };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error) }),
  });
}
