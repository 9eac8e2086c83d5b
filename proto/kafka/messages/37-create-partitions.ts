/** CreatePartitions, API key 37, versions 0-3. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const createPartitionsRequest = message(
  { name: 'CreatePartitionsRequest', versions: [0, 3], flexibleSince: 2 },
  {
    topics: array(
      struct({
        name: string,
        count: int32,
        assignments: field(
          array(
            struct({
              brokerIds: array(int32),
            }),
          ),
          { nullable: 0 },
        ),
      }),
    ),
    timeoutMs: int32,
    validateOnly: bool,
  },
);
export type CreatePartitionsRequest = Infer<typeof createPartitionsRequest>;

export const createPartitionsResponse = message(
  { name: 'CreatePartitionsResponse', versions: [0, 3], flexibleSince: 2 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        name: string,
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0, default: null }),
      }),
    ),
  },
);
export type CreatePartitionsResponse = Infer<typeof createPartitionsResponse>;
