/** Produce, API key 0, versions 3-13. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  records,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const produceRequest = message(
  { name: 'ProduceRequest', versions: [3, 13], flexibleSince: 9 },
  {
    transactionalId: field(string, { nullable: 3, default: null }),
    acks: int16,
    timeoutMs: int32,
    topicData: array(
      struct({
        name: field(string, { until: 12 }),
        topicId: field(uuid, { since: 13 }),
        partitionData: array(
          struct({
            index: int32,
            records: field(records, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type ProduceRequest = Infer<typeof produceRequest>;

export const produceResponse = message(
  { name: 'ProduceResponse', versions: [3, 13], flexibleSince: 9 },
  {
    responses: array(
      struct({
        name: field(string, { until: 12 }),
        topicId: field(uuid, { since: 13 }),
        partitionResponses: array(
          struct({
            index: int32,
            errorCode: int16,
            baseOffset: int64,
            logAppendTimeMs: field(int64, { default: -1 }),
            logStartOffset: field(int64, { since: 5, default: -1 }),
            recordErrors: field(
              array(
                struct({
                  batchIndex: field(int32, { since: 8 }),
                  batchIndexErrorMessage: field(sentence, { since: 8, nullable: 8, default: null }),
                }),
              ),
              { since: 8 },
            ),
            errorMessage: field(sentence, { since: 8, nullable: 8, default: null }),
            currentLeader: field(
              struct({
                leaderId: field(int32, { since: 10, default: -1 }),
                leaderEpoch: field(int32, { since: 10, default: -1 }),
              }),
              { since: 10, tag: 0, tagSince: 10 },
            ),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32,
    nodeEndpoints: field(
      array(
        struct({
          nodeId: field(int32, { since: 10 }),
          host: field(string, { since: 10 }),
          port: field(int32, { since: 10 }),
          rack: field(string, { since: 10, nullable: 10, default: null }),
        }),
      ),
      { since: 10, tag: 0, tagSince: 10 },
    ),
  },
);
export type ProduceResponse = Infer<typeof produceResponse>;
