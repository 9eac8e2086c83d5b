/**
 * TxnOffsetCommit (28). Offsets that count when the producer's transaction commits. v3 names the
 * group member (KIP-447); v5 adds the group's partition to the transaction by itself (KIP-890);
 * v6 topic ids (KIP-1319).
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import {
  txnOffsetCommitRequest,
  txnOffsetCommitResponse,
} from '../../proto/kafka/messages/28-txn-offset-commit.ts';
import { api } from './handler.ts';
import { answerAll, fill, sortOffsets } from './offset-commits.ts';
import { OFFSETS_TOPIC, type Ports } from './ports.ts';

/** What a commit that could not join the transaction means to the client. */
function admissionError(error: ErrorName, apiVersion: number): ErrorName {
  switch (error) {
    case 'NOT_LEADER_OR_FOLLOWER':
      return 'NOT_COORDINATOR';
    case 'COORDINATOR_LOAD_IN_PROGRESS':
    case 'NOT_COORDINATOR':
    case 'COORDINATOR_NOT_AVAILABLE':
      return 'COORDINATOR_LOAD_IN_PROGRESS';
    case 'TRANSACTION_ABORTABLE':
      return apiVersion >= 4 ? error : 'INVALID_TXN_STATE';
    default:
      return error;
  }
}

export function txnOffsetCommit(ports: Ports) {
  const { config, gate, groups } = ports;
  return api({
    key: 28,
    name: 'TxnOffsetCommit',
    request: txnOffsetCommitRequest,
    response: txnOffsetCommitResponse,
    async handle(request, { apiVersion }) {
      const { transactionalId, groupId, producerId, producerEpoch } = request;
      if (groupId === '') return answerAll(request, 'INVALID_GROUP_ID');
      const add = apiVersion >= 5;
      if (add || config.flag('transaction.partition.verification.enable')) {
        const partition = groups.partitionFor(groupId);
        const error = await gate.admit({
          transactionalId,
          producerId,
          producerEpoch,
          topic: OFFSETS_TOPIC,
          partition,
          baseSequence: -1,
          add,
        });
        if (error !== 'NONE') return answerAll(request, admissionError(error, apiVersion));
      }
      const response = answerAll(request, 'NONE');
      const { offsets, slots } = sortOffsets(
        ports,
        request.topics,
        response.topics,
        apiVersion >= 6,
      );
      const who = {
        groupId,
        generation: request.generationIdOrMemberEpoch,
        memberId: request.memberId,
        instanceId: request.groupInstanceId,
      };
      const producer = { id: producerId, epoch: producerEpoch };
      const errors = await groups.commitInTransaction(who, producer, offsets);
      fill(slots, errors);
      return response;
    },
    failed: answerAll,
  });
}
