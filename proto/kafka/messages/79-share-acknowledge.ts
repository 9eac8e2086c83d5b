/** ShareAcknowledge, API key 79, versions 1-2. */
import {
  array,
  bool,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const shareAcknowledgeRequest = message(
  { name: 'ShareAcknowledgeRequest', versions: [1, 2], flexibleSince: 0 },
  {
    groupId: field(string, { nullable: 0, default: null }),
    memberId: field(string, { nullable: 0 }),
    shareSessionEpoch: int32,
    isRenewAck: field(bool, { since: 2 }),
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            acknowledgementBatches: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                acknowledgeTypes: array(int8),
              }),
            ),
          }),
        ),
      }),
    ),
  },
);
export type ShareAcknowledgeRequest = Infer<typeof shareAcknowledgeRequest>;

export const shareAcknowledgeResponse = message(
  { name: 'ShareAcknowledgeResponse', versions: [1, 2], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    acquisitionLockTimeoutMs: field(int32, { since: 2 }),
    responses: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: field(sentence, { nullable: 0, default: null }),
            currentLeader: struct({
              leaderId: int32,
              leaderEpoch: int32,
            }),
          }),
        ),
      }),
    ),
    nodeEndpoints: array(
      struct({
        nodeId: int32,
        host: string,
        port: int32,
        rack: field(string, { nullable: 0, default: null }),
      }),
    ),
  },
);
export type ShareAcknowledgeResponse = Infer<typeof shareAcknowledgeResponse>;
