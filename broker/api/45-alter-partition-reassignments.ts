/**
 * AlterPartitionReassignments (45). Moves partitions to other brokers, or cancels that (no replicas
 * named); v1 may forbid to change the number of replicas (KIP-455).
 */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../../proto/kafka/messages/45-alter-partition-reassignments.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function alterPartitionReassignments({ image, changePartitions }: Ports) {
  return api({
    key: 45,
    name: 'AlterPartitionReassignments',
    request: alterPartitionReassignmentsRequest,
    response: alterPartitionReassignmentsResponse,
    async handle({ timeoutMs, topics, allowReplicationFactorChange }) {
      const wishes = topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, replicas }) => ({
          topicId: image.topic(name)?.id ?? '',
          partition: partitionIndex,
          ...(replicas === null
            ? { kind: 'cancel' as const }
            : { kind: 'reassign' as const, replicas, allowReplicationFactorChange }),
        })),
      );
      const outcomes = await changePartitions(wishes, timeoutMs);
      let next = 0;
      const responses = topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          const outcome = outcomes[next++];
          return {
            partitionIndex,
            errorCode: codeOf(outcome?.error ?? 'UNKNOWN_SERVER_ERROR'),
            errorMessage: outcome?.message ?? null,
          };
        }),
      }));
      const moved =
        outcomes.length > 0 && outcomes.every(({ error }) => error === 'NOT_CONTROLLER');
      const errorCode = moved ? codeOf('NOT_CONTROLLER') : 0;
      return { allowReplicationFactorChange, errorCode, errorMessage: null, responses };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
