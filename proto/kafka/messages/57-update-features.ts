/** UpdateFeatures, API key 57, versions 0-2. */
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
} from '../schema.ts';

export const updateFeaturesRequest = message(
  { name: 'UpdateFeaturesRequest', versions: [0, 2], flexibleSince: 0 },
  {
    timeoutMs: field(int32, { default: 60000 }),
    featureUpdates: array(
      struct({
        feature: string,
        maxVersionLevel: int16,
        allowDowngrade: field(bool, { until: 0 }),
        upgradeType: field(int8, { since: 1, default: 1 }),
      }),
    ),
    validateOnly: field(bool, { since: 1 }),
  },
);
export type UpdateFeaturesRequest = Infer<typeof updateFeaturesRequest>;

export const updateFeaturesResponse = message(
  { name: 'UpdateFeaturesResponse', versions: [0, 2], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0 }),
    results: field(
      array(
        struct({
          feature: string,
          errorCode: int16,
          errorMessage: field(sentence, { nullable: 0 }),
        }),
      ),
      { until: 1 },
    ),
  },
);
export type UpdateFeaturesResponse = Infer<typeof updateFeaturesResponse>;
