/** What differs between two answers, as paths into them. Pure. */

export interface Difference {
  readonly path: string;
  readonly kafka: unknown;
  readonly tenure: unknown;
}

/** Values that may never be the same: two clusters have two names for everything. */
const OWN =
  /(^|\.)(clusterId|topicId|host|port|nodeId|logDir|errorMessage|memberId|leader|producerId|throttleTimeMs|leaderEpoch|partitionLeaderEpoch|currentStateTimestamp|lastFetchTimestamp|lastCaughtUpTimestamp|totalBytes|usableBytes|finalizedFeaturesEpoch|documentation|lastTimestamp|transactionStartTimeMs|batchIndexErrorMessage|replicaDirectoryId|statusDetail)$/;

const kindOf = (value: unknown) =>
  value === null
    ? 'null'
    : Buffer.isBuffer(value)
      ? 'bytes'
      : Array.isArray(value)
        ? 'array'
        : typeof value;

/** Texts and ids are compared by their kind only: whether there is one. */
export function differencesOf(kafka: unknown, tenure: unknown, path = ''): Difference[] {
  const own = OWN.test(path);
  if (own && kindOf(kafka) === kindOf(tenure)) return [];
  const [a, b] = [kindOf(kafka), kindOf(tenure)];
  if (a !== b) return own ? [] : [{ path, kafka, tenure }];
  if (a === 'array') {
    const [left, right] = [kafka as unknown[], tenure as unknown[]];
    if (left.length !== right.length)
      return [{ path: `${path}.length`, kafka: left.length, tenure: right.length }];
    return left.flatMap((item, i) => differencesOf(item, right[i], `${path}[${i}]`));
  }
  if (a === 'object') {
    const [left, right] = [kafka as Record<string, unknown>, tenure as Record<string, unknown>];
    return Object.keys(left).flatMap((key) =>
      differencesOf(left[key], right[key], path === '' ? key : `${path}.${key}`),
    );
  }
  if (a === 'bytes')
    return (kafka as Buffer).equals(tenure as Buffer) ? [] : [{ path, kafka, tenure }];
  return Object.is(kafka, tenure) ? [] : [{ path, kafka, tenure }];
}
