/**
 * WriteTxnMarkers (27). Brokers use gRPC among themselves; administrators end a hanging transaction
 * with it (KIP-664). v2 names the transaction version (KIP-1228).
 */
import { codeOf } from '../../proto/kafka/errors.ts';
import {
  writeTxnMarkersRequest,
  writeTxnMarkersResponse,
} from '../../proto/kafka/messages/27-write-txn-markers.ts';
import { api } from './handler.ts';
import type { Ports } from './ports.ts';

export function writeTxnMarkers({ image, writeMarkers }: Ports) {
  return api({
    key: 27,
    name: 'WriteTxnMarkers',
    request: writeTxnMarkersRequest,
    response: writeTxnMarkersResponse,
    async handle({ markers }) {
      const wanted = markers.map(({ topics, transactionResult, ...marker }) => ({
        ...marker,
        committed: transactionResult,
        partitions: topics.flatMap(({ name, partitionIndexes }) =>
          partitionIndexes.map((partition) => ({ topic: name, partition })),
        ),
      }));
      const results = await writeMarkers(wanted);
      return {
        markers: markers.map(({ producerId, topics }, m) => {
          const errors = results[m] ?? [];
          let next = 0;
          return {
            producerId,
            topics: topics.map(({ name, partitionIndexes }) => ({
              name,
              partitions: partitionIndexes.map((partitionIndex) => {
                const error = errors[next++] ?? 'UNKNOWN_SERVER_ERROR';
                const isUnknown = image.topic(name)?.partitions[partitionIndex] === undefined;
                return {
                  partitionIndex,
                  errorCode: codeOf(isUnknown ? 'UNKNOWN_TOPIC_OR_PARTITION' : error),
                };
              }),
            })),
          };
        }),
      };
    },
    failed: ({ markers }, error) => ({
      markers: markers.map(({ producerId, topics }) => ({
        producerId,
        topics: topics.map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            errorCode: codeOf(error),
          })),
        })),
      })),
    }),
  });
}
