/** ListPartitionReassignments (46). Partitions that are on their way to other brokers. */
import { isMoving } from '../../kube/partition-line.ts';
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../../proto/kafka/messages/46-list-partition-reassignments.ts';
import { mapInTurns, Pace } from '../../stdx/loop-share.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';
import { distinct } from './repeats.ts';

export function listPartitionReassignments({ image, turn }: Ports) {
  return api({
    key: 46,
    name: 'ListPartitionReassignments',
    request: listPartitionReassignmentsRequest,
    response: listPartitionReassignmentsResponse,
    async handle({ topics }, { connection }) {
      const pace = new Pace(turn.share, connection);
      const asked = topics === null ? null : await distinct(pace, topics, ({ name }) => name);
      const wanted: readonly { name: string; partitionIndexes: number[] | null }[] =
        asked ?? image.topics().map(({ name }) => ({ name, partitionIndexes: null }));
      const found = await mapInTurns(pace, wanted, ({ name, partitionIndexes }) => {
        const indexes = partitionIndexes === null ? null : new Set(partitionIndexes);
        return {
          name,
          partitions: (image.topic(name)?.partitions ?? [])
            .filter((line) => line !== undefined && isMoving(line))
            .filter(({ partition }) => indexes === null || indexes.has(partition))
            .map(({ partition, replicas, adding, removing }) => ({
              partitionIndex: partition,
              replicas: [...replicas],
              addingReplicas: [...adding],
              removingReplicas: [...removing],
            })),
        };
      });
      const moving = found.filter(({ partitions }) => partitions.length > 0);
      return { errorCode: 0, errorMessage: null, topics: moving };
    },
    failed: (_request, error) => ({ errorCode: codeOf(error), errorMessage: null }),
  });
}
