/** CreateTopics, API key 19, versions 2-7. */
import {
  array,
  bool,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const createTopicsRequest = message(
  { name: 'CreateTopicsRequest', versions: [2, 7], flexibleSince: 5 },
  {
    topics: array(
      struct({
        name: string,
        numPartitions: int32,
        replicationFactor: int16,
        assignments: array(
          struct({
            partitionIndex: int32,
            brokerIds: array(int32),
          }),
        ),
        configs: array(
          struct({
            name: string,
            value: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
    timeoutMs: field(int32, { default: 60000 }),
    validateOnly: bool,
  },
);
export type CreateTopicsRequest = Infer<typeof createTopicsRequest>;

export const createTopicsResponse = message(
  { name: 'CreateTopicsResponse', versions: [2, 7], flexibleSince: 5 },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        topicId: field(uuid, { since: 7 }),
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        topicConfigErrorCode: field(int16, { since: 5, tag: 0, tagSince: 5 }),
        numPartitions: field(int32, { since: 5, default: -1 }),
        replicationFactor: field(int16, { since: 5, default: -1 }),
        configs: field(
          array(
            struct({
              name: field(string, { since: 5 }),
              value: field(string, { since: 5, nullable: 5 }),
              readOnly: field(bool, { since: 5 }),
              configSource: field(int8, { since: 5, default: -1 }),
              isSensitive: field(bool, { since: 5 }),
            }),
          ),
          { since: 5, nullable: 5 },
        ),
      }),
    ),
  },
);
export type CreateTopicsResponse = Infer<typeof createTopicsResponse>;
