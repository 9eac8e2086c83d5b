/** FindCoordinator, API key 10, versions 0-6. */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const findCoordinatorRequest = message(
  { name: 'FindCoordinatorRequest', versions: [0, 6], flexibleSince: 3 },
  {
    key: field(string, { until: 3 }),
    keyType: field(int8, { since: 1 }),
    coordinatorKeys: field(array(string), { since: 4 }),
  },
);
export type FindCoordinatorRequest = Infer<typeof findCoordinatorRequest>;

export const findCoordinatorResponse = message(
  { name: 'FindCoordinatorResponse', versions: [0, 6], flexibleSince: 3 },
  {
    throttleTimeMs: field(int32, { since: 1 }),
    errorCode: field(int16, { until: 3 }),
    errorMessage: field(sentence, { since: 1, until: 3, nullable: 1, nullableUntil: 3 }),
    nodeId: field(int32, { until: 3 }),
    host: field(string, { until: 3 }),
    port: field(int32, { until: 3 }),
    coordinators: field(
      array(
        struct({
          key: field(string, { since: 4 }),
          nodeId: field(int32, { since: 4 }),
          host: field(string, { since: 4 }),
          port: field(int32, { since: 4 }),
          errorCode: field(int16, { since: 4 }),
          errorMessage: field(sentence, { since: 4, nullable: 4 }),
        }),
      ),
      { since: 4 },
    ),
  },
);
export type FindCoordinatorResponse = Infer<typeof findCoordinatorResponse>;
