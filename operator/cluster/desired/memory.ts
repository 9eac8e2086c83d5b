/**
 * The memory of brokers' pods: how much they ask for, how much they may have, and what of that is V8's heap.
 * The broker derives from the limit what requests and answers may take (`queued.max.request.bytes`), so that
 * whatever clients do, the pod stays within it. Pure.
 */
import type { KafkaCluster } from '../../../kube/kafka-objects.ts';
import { parseQuantity } from '../../../kube/quantity.ts';

const REQUEST = '256Mi';
const LIMIT = '2Gi';
/** Of the limit, for objects: metadata, groups, what requests become while they are worked at. */
const HEAP_PARTS = 4;
/** With less than this a broker hardly starts; small pods give half of what they have. */
const HEAP_MIB_MIN = 96;
const MIB = 1024 * 1024;

interface Resources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

/** As the cluster says; where it says nothing of memory, a request and a limit that suit a broker. */
export function brokerResources({ spec }: KafkaCluster): Resources {
  const { limits, requests, ...more } = (spec.resources ?? {}) as Resources;
  if (limits?.memory !== undefined || requests?.memory !== undefined) return spec.resources ?? {};
  return {
    ...more,
    requests: { ...requests, memory: REQUEST },
    limits: { ...limits, memory: LIMIT },
  };
}

/** What a broker's container may have in the end; null where there is no limit, or none that can be read. */
function memoryLimit(cluster: KafkaCluster): number | null {
  const over = cluster.spec.template?.broker as { resources?: Resources } | undefined;
  const limit = over?.resources?.limits?.memory ?? brokerResources(cluster).limits?.memory;
  if (limit === undefined) return null;
  try {
    return Math.floor(parseQuantity(String(limit)));
  } catch {
    return null;
  }
}

/** Environment of a broker: what it may have, and options of its Node.js. */
export function memoryEnv(
  cluster: KafkaCluster,
  nodeOptions: string,
): { name: string; value: string }[] {
  const bytes = memoryLimit(cluster);
  if (bytes === null) return [{ name: 'NODE_OPTIONS', value: nodeOptions }];
  const least = Math.min(HEAP_MIB_MIN, bytes / 2 / MIB);
  const heapMib = Math.floor(Math.max(bytes / HEAP_PARTS / MIB, least, 1));
  const heap = `--max-old-space-size=${heapMib}`;
  return [
    { name: 'TENURE_MEMORY_BYTES', value: String(bytes) },
    { name: 'NODE_OPTIONS', value: `${nodeOptions} ${heap}` },
  ];
}
