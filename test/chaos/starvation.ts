/** Processes that want all the processors there are, beside brokers that get what is left. Needs root. */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { type KafkaPartitionMap, kafkaPartitionMaps } from '../../kube/kafka-objects.ts';
import { leases } from '../../kube/objects.ts';
import { parsePage } from '../../kube/partition-line.ts';
import type { KubeApi } from '../../kube/port.ts';
import { sleepMs } from '../support/local.ts';

const BUSY = 20;
const LAST = 19;
const LASTS_MS = 60_000;
/** Ends by itself, whatever becomes of this process. */
const LOOP = `const end = performance.now() + ${LASTS_MS + 5_000}; while (performance.now() < end);`;

export const starvation = {
  isPossible: process.getuid?.() === 0,
  /** Starves them for a while. */
  async of(pids: readonly number[]): Promise<void> {
    const loops = Array.from({ length: BUSY }, () =>
      spawn(process.execPath, ['-e', LOOP], { stdio: 'ignore' }),
    );
    for (const pid of pids) setPriority(pid, LAST);
    await sleepMs(LASTS_MS);
    for (const loop of loops) loop.kill('SIGKILL');
    for (const pid of pids) {
      try {
        setPriority(pid, 0);
      } catch {
        // It ended: whoever looks at the restarts tells of that.
      }
    }
  },
};

/** How often controllers and leaders were elected so far. */
export async function electionsOf(api: KubeApi): Promise<{ controllers: number; leaders: number }> {
  const lease = await api.get(leases, 'default', 'my-cluster-controller');
  const { items } = await api.list(kafkaPartitionMaps, { namespace: 'default' });
  const lines = items.flatMap(({ spec }: KafkaPartitionMap) => parsePage(spec.partitions));
  return {
    controllers: lease?.spec?.leaseTransitions ?? 0,
    leaders: lines.reduce((sum, { leaderEpoch }) => sum + leaderEpoch, 0),
  };
}
