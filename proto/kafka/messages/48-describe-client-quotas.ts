/** DescribeClientQuotas, API key 48, versions 0-1. */
import {
  array,
  bool,
  field,
  float64,
  type Infer,
  int8,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const describeClientQuotasRequest = message(
  { name: 'DescribeClientQuotasRequest', versions: [0, 1], flexibleSince: 1 },
  {
    components: array(
      struct({
        entityType: string,
        matchType: int8,
        match: field(string, { nullable: 0 }),
      }),
    ),
    strict: bool,
  },
);
export type DescribeClientQuotasRequest = Infer<typeof describeClientQuotasRequest>;

export const describeClientQuotasResponse = message(
  { name: 'DescribeClientQuotasResponse', versions: [0, 1], flexibleSince: 1 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    entries: field(
      array(
        struct({
          entity: array(
            struct({
              entityType: string,
              entityName: field(string, { nullable: 0 }),
            }),
          ),
          values: array(
            struct({
              key: string,
              value: float64,
            }),
          ),
        }),
      ),
      { nullable: 0 },
    ),
  },
);
export type DescribeClientQuotasResponse = Infer<typeof describeClientQuotasResponse>;
