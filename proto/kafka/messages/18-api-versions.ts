/** ApiVersions, API key 18, versions 0-5. */
import {
  array,
  bool,
  field,
  type Infer,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
} from '../schema.ts';

export const apiVersionsRequest = message(
  { name: 'ApiVersionsRequest', versions: [0, 5], flexibleSince: 3 },
  {
    clientSoftwareName: field(string, { since: 3 }),
    clientSoftwareVersion: field(string, { since: 3 }),
    clusterId: field(string, { since: 5, nullable: 5, default: null }),
    nodeId: field(int32, { since: 5, default: -1 }),
  },
);
export type ApiVersionsRequest = Infer<typeof apiVersionsRequest>;

export const apiVersionsResponse = message(
  { name: 'ApiVersionsResponse', versions: [0, 5], flexibleSince: 3 },
  {
    errorCode: int16,
    apiKeys: array(
      struct({
        apiKey: int16,
        minVersion: int16,
        maxVersion: int16,
      }),
    ),
    throttleTimeMs: field(int32, { since: 1 }),
    supportedFeatures: field(
      array(
        struct({
          name: field(string, { since: 3 }),
          minVersion: field(int16, { since: 3 }),
          maxVersion: field(int16, { since: 3 }),
        }),
      ),
      { since: 3, tag: 0, tagSince: 3 },
    ),
    finalizedFeaturesEpoch: field(int64, { since: 3, tag: 1, tagSince: 3, default: -1 }),
    finalizedFeatures: field(
      array(
        struct({
          name: field(string, { since: 3 }),
          maxVersionLevel: field(int16, { since: 3 }),
          minVersionLevel: field(int16, { since: 3 }),
        }),
      ),
      { since: 3, tag: 2, tagSince: 3 },
    ),
    zkMigrationReady: field(bool, { since: 3, tag: 3, tagSince: 3 }),
  },
);
export type ApiVersionsResponse = Infer<typeof apiVersionsResponse>;
