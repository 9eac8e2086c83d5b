/** DescribeCluster, API key 60, versions 0-2. */
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

export const describeClusterRequest = message(
  { name: 'DescribeClusterRequest', versions: [0, 2], flexibleSince: 0 },
  {
    includeClusterAuthorizedOperations: bool,
    endpointType: field(int8, { since: 1, default: 1 }),
    includeFencedBrokers: field(bool, { since: 2 }),
  },
);
export type DescribeClusterRequest = Infer<typeof describeClusterRequest>;

export const describeClusterResponse = message(
  { name: 'DescribeClusterResponse', versions: [0, 2], flexibleSince: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: field(sentence, { nullable: 0, default: null }),
    endpointType: field(int8, { since: 1, default: 1 }),
    clusterId: string,
    controllerId: field(int32, { default: -1 }),
    brokers: array(
      struct({
        brokerId: int32,
        host: string,
        port: int32,
        rack: field(string, { nullable: 0, default: null }),
        isFenced: field(bool, { since: 2 }),
      }),
    ),
    clusterAuthorizedOperations: field(int32, { default: -2147483648 }),
  },
);
export type DescribeClusterResponse = Infer<typeof describeClusterResponse>;
