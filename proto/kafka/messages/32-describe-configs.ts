/** DescribeConfigs, API key 32, versions 1-4. */
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

export const describeConfigsRequest = message(
  { name: 'DescribeConfigsRequest', versions: [1, 4], flexibleSince: 4 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configurationKeys: field(array(string), { nullable: 0 }),
      }),
    ),
    includeSynonyms: bool,
    includeDocumentation: field(bool, { since: 3 }),
  },
);
export type DescribeConfigsRequest = Infer<typeof describeConfigsRequest>;

export const describeConfigsResponse = message(
  { name: 'DescribeConfigsResponse', versions: [1, 4], flexibleSince: 4 },
  {
    throttleTimeMs: int32,
    results: array(
      struct({
        errorCode: int16,
        errorMessage: field(sentence, { nullable: 0 }),
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: field(string, { nullable: 0 }),
            readOnly: bool,
            configSource: field(int8, { default: -1 }),
            isSensitive: bool,
            synonyms: array(
              struct({
                name: string,
                value: field(string, { nullable: 0 }),
                source: int8,
              }),
            ),
            configType: field(int8, { since: 3 }),
            documentation: field(string, { since: 3, nullable: 0 }),
          }),
        ),
      }),
    ),
  },
);
export type DescribeConfigsResponse = Infer<typeof describeConfigsResponse>;
