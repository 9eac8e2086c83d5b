/**
 * How much of a broker's memory requests and answers may take. The rest is for metadata (V8's heap has a bound
 * of its own, see the operator's pods), the newest records, the page cache of what is written, and what the
 * garbage collector has not yet found. Pure.
 */
import type { KafkaCluster } from '../../kube/kafka-objects.ts';

/** Of the memory that the process may have: by default, and at most. */
const PART = 3 / 8;
const PART_MAX = 5 / 8;
const BYTES_MIN = 32 * 1024 * 1024;
/** A frame of the largest size, and what is counted beside it. */
const BESIDE_BYTES = 64 * 1024;

/** No request is larger, whatever is set: its records must pass between brokers in one message. */
export const RECORDS_BYTES_MAX = 256 * 1024 * 1024;

const SETTING = 'queued.max.request.bytes';
const REQUEST_SETTING = 'socket.request.max.bytes';

export function budgetSize(
  { memoryBytes }: { readonly memoryBytes: number },
  { config = {} }: Pick<KafkaCluster['spec'], 'config'>,
): { totalBytes: number; largeBytesMax: number } {
  const wished = Number(config[SETTING] ?? -1);
  const bytes = wished > 0 ? Math.min(wished, memoryBytes * PART_MAX) : memoryBytes * PART;
  const requestBytesMax = Number(config[REQUEST_SETTING] ?? 104_857_600);
  return {
    totalBytes: Math.floor(Math.max(bytes, BYTES_MIN)),
    largeBytesMax: Math.min(Math.max(requestBytesMax, 0), RECORDS_BYTES_MAX) + BESIDE_BYTES,
  };
}
