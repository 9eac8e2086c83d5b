/** AlterClientQuotas, API key 49, versions 0-1. */
import {
  array,
  bool,
  field,
  float64,
  type Infer,
  int16,
  int32,
  message,
  sentence,
  string,
  struct,
} from '../schema.ts';

export const alterClientQuotasRequest = message(
  { name: 'AlterClientQuotasRequest', versions: [0, 1], flexibleSince: 1 },
  {
    entries: array(
      struct({
        entity: array(
          struct({
            entityType: string,
            entityName: field(string, { nullable: 0 }),
          }),
        ),
        ops: array(
          struct({
            key: string,
            value: float64,
            remove: bool,
          }),
        ),
      }),
    ),
    validateOnly: bool,
  },
);
export type AlterClientQuotasRequest = Infer<typeof alterClientQuotasRequest>;

export const alterClientQuotasResponse = message(
  { name: 'AlterClientQuotasResponse', versions: [0, 1], flexibleSince: 1 },
  {
    throttleTimeMs: int32,
    entries: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        entity: array(
          struct({
            entityType: string,
            entityName: field(string, { nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type AlterClientQuotasResponse = Infer<typeof alterClientQuotasResponse>;
