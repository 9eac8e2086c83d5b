/** DescribeQuorum, API key 55, versions 0-2. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  sentence,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts';

export const describeQuorumRequest = message(
  { name: 'DescribeQuorumRequest', versions: [0, 2], flexibleSince: 0 },
  {
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
          }),
        ),
      }),
    ),
  },
);
export type DescribeQuorumRequest = Infer<typeof describeQuorumRequest>;

const replicaState = struct({
  replicaId: int32,
  replicaDirectoryId: field(uuid, { since: 2 }),
  logEndOffset: int64,
  lastFetchTimestamp: field(int64, { since: 1, default: -1 }),
  lastCaughtUpTimestamp: field(int64, { since: 1, default: -1 }),
});
export const describeQuorumResponse = message(
  { name: 'DescribeQuorumResponse', versions: [0, 2], flexibleSince: 0 },
  {
    errorCode: int16,
    errorMessage: field(sentence, { since: 2, nullable: 2 }),
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { since: 2, nullable: 2 }),
            leaderId: int32,
            leaderEpoch: int32,
            highWatermark: int64,
            currentVoters: array(replicaState),
            observers: array(replicaState),
          }),
        ),
      }),
    ),
    nodes: field(
      array(
        struct({
          nodeId: field(int32, { since: 2 }),
          listeners: field(
            array(
              struct({
                name: field(string, { since: 2 }),
                host: field(string, { since: 2 }),
                port: field(uint16, { since: 2 }),
              }),
            ),
            { since: 2 },
          ),
        }),
      ),
      { since: 2 },
    ),
  },
);
export type DescribeQuorumResponse = Infer<typeof describeQuorumResponse>;
