/** ListPartitionReassignments (46). Partitions that are on their way to other brokers. */
import { isMoving } from '../../kube/partition-line.ts';
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../../proto/kafka/messages/46-list-partition-reassignments.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function listPartitionReassignments({ image }: Ports) {
  return api({
    key: 46,
    name: 'ListPartitionReassignments',
    request: listPartitionReassignmentsRequest,
    response: listPartitionReassignmentsResponse,
    handle({ topics }) {
      const wanted = topics ?? image.topics().map(({ name }) => ({ name, partitionIndexes: null }));
      const found = wanted.map(({ name, partitionIndexes }) => ({
        name,
        partitions: (image.topic(name)?.partitions ?? [])
          .filter((line) => line !== undefined && isMoving(line))
          .filter(({ partition }) => partitionIndexes?.includes(partition) ?? true)
          .map(({ partition, replicas, adding, removing }) => ({
            partitionIndex: partition,
            replicas: [...replicas],
            addingReplicas: [...adding],
            removingReplicas: [...removing],
          })),
      }));
      const moving = found.filter(({ partitions }) => partitions.length > 0);
      return { errorCode: 0, errorMessage: null, topics: moving };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
