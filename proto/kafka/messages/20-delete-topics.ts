/** DeleteTopics, API key 20, versions 1-6. */
import {
  array,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const deleteTopicsRequest = message(
  { name: 'DeleteTopicsRequest', versions: [1, 6], flexibleSince: 4 },
  {
    topics: field(
      array(
        struct({
          name: field(string, { since: 6, nullable: 6, default: null }),
          topicId: field(uuid, { since: 6 }),
        }),
      ),
      { since: 6 },
    ),
    topicNames: field(array(string), { until: 5 }),
    timeoutMs: int32,
  },
);
export type DeleteTopicsRequest = Infer<typeof deleteTopicsRequest>;

export const deleteTopicsResponse = message(
  { name: 'DeleteTopicsResponse', versions: [1, 6], flexibleSince: 4 },
  {
    throttleTimeMs: int32,
    responses: array(
      struct({
        name: field(string, { nullable: 6 }),
        topicId: field(uuid, { since: 6 }),
        errorCode: int16,
        errorMessage: field(sentence, { since: 5, nullable: 5, default: null }),
      }),
    ),
  },
);
export type DeleteTopicsResponse = Infer<typeof deleteTopicsResponse>;
