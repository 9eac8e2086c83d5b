/** Differences that are meant, each with its reason. */
import type { Difference } from './differences.ts';

interface Explanation {
  readonly api: string;
  readonly step?: string | RegExp;
  readonly path: RegExp;
  readonly why: string;
}

const explanations: readonly Explanation[] = [
  {
    api: 'ApiVersions',
    path: /^apis\.8[3-7]$/,
    why: 'brokers ask each other over gRPC where share groups stand',
  },
  {
    api: 'ApiVersions',
    path: /^apis\.(80|81|94)$/,
    why: 'these change a KRaft quorum, and there is none',
  },
  {
    api: 'ApiVersions',
    path: /^supported\.kraft\.version$|^finalized\.kraft\.version$/,
    why: 'there is no KRaft quorum',
  },
  {
    api: 'Produce',
    step: 'produce: nothing',
    path: /^connection$/,
    why: 'a partition without records is answered with an error instead of a closed connection',
  },
  {
    api: 'Produce',
    step: 'produce: two batches',
    path: /logStartOffset$/,
    why: 'the start of the log is told with every refusal of records',
  },
  {
    api: 'Produce',
    step: 'odd: a batch and a half',
    path: /errorCode$|isGiven$/,
    why: 'Kafka drops the bytes behind the first batch and acknowledges; nothing is dropped silently here',
  },
  {
    api: 'Produce',
    step: /^odd: (an unknown codec|garbage as .*|gzip, cut)$/,
    path: /errorCode$/,
    why: 'what cannot be unpacked is the request’s fault, not an unknown server error',
  },
  {
    api: 'Produce',
    step: /^odd: offsets that do not go on/,
    path: /errorCode$|isGiven$|recordErrors\.length$/,
    why: 'Kafka stores an uncompressed batch whose offsets it does not look at; readers would be given some twice',
  },
  {
    api: 'DescribeConfigs',
    step: 'configuration of a topic',
    path: /min\.insync\.replicas/,
    why: 'Kafka writes this one down for the cluster when its storage is formatted',
  },
  {
    api: 'DescribeConfigs',
    path: /\.readOnly$/,
    why: 'every broker setting can be changed at any time: it is part of the KafkaCluster object',
  },
  {
    api: 'DescribeConfigs',
    path: /log\.retention\.ms/,
    why: 'the value in force is shown under the name in milliseconds, hours are not',
  },
  {
    api: 'IncrementalAlterConfigs',
    step: 'alter: an odd operation',
    path: /errorCode$/,
    why: 'an unknown operation is the request’s fault, not an unknown server error',
  },
];

function isOf(pattern: Explanation['step'], step: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === 'string' ? pattern === step : pattern.test(step);
}

/** Why a difference is as it should be; null where nobody has said. */
export function explanationFor(step: string, api: string, { path }: Difference): string | null {
  const found = explanations.find(
    (one) => one.api === api && isOf(one.step, step) && one.path.test(path),
  );
  return found?.why ?? null;
}
