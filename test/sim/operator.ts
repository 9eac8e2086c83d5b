/**
 * The operator's part that matters to records: it restarts brokers one by one, by the operator's
 * own plan, while everything else goes on going wrong.
 */

import { controllerLeaseName, holderId } from '../../broker/metadata/metadata.ts';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import { type Lease, leases, type Pod, type StatefulSet } from '../../kube/objects.ts';
import { planRoll } from '../../operator/cluster/roll-core.ts';
import { CLUSTER, NAMESPACE, type SimNode, type World } from './world.ts';

const LOOK_MS = 500;
/** How long a pod may take to stop before it is killed. */
const GRACE_MS = 30_000;
const START_MS = 700;

export class SimOperator {
  private readonly world: World;
  private revision = 1;
  private readonly revisions = new Map<SimNode, number>();
  private readonly stopping = new Set<SimNode>();
  isRolling = false;

  constructor(world: World) {
    this.world = world;
  }

  /** The pod template has changed: every broker is to be restarted once. */
  roll(): void {
    this.revision++;
    this.isRolling = true;
    this.look();
  }

  private look(): void {
    const { world } = this;
    const { due } = planRoll({
      cluster: {
        metadata: { name: CLUSTER },
        spec: { replicas: world.nodes.length },
      } as KafkaCluster,
      statefulSet: {
        spec: { template: { spec: { containers: [] } } },
        status: { updateRevision: String(this.revision) },
      } as unknown as StatefulSet,
      pods: world.nodes.map((node) => this.podOf(node)),
      brokers: [],
      lines: world.lines(),
      topics: [],
      services: [],
      claims: [],
      nodes: new Map(),
      controllerId: this.controllerId(),
      now: '',
    });
    if (due.length === 0) {
      this.isRolling = false;
      return;
    }
    for (const { id, waitsFor } of due) if (waitsFor === null) this.restart(id);
    world.scheduler.after(LOOK_MS, null, () => this.look());
  }

  private controllerId(): number {
    const { kube } = this.world;
    const all = kube.api.list(kube.kindOf(leases), NAMESPACE, () => true) as Lease[];
    const held = all.find(({ metadata }) => metadata.name === controllerLeaseName(CLUSTER));
    return held === undefined ? -1 : holderId(held);
  }

  private podOf(node: SimNode): Pod {
    const ready = this.world.isReady(node);
    return {
      metadata: {
        name: `${CLUSTER}-brokers-${node.id}`,
        labels: { 'controller-revision-hash': String(this.revisions.get(node) ?? 1) },
        ...(this.stopping.has(node) ? { deletionTimestamp: 'now' } : {}),
      },
      spec: { containers: [] },
      status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
    } as unknown as Pod;
  }

  /** The pod is deleted, in good order if there is a process, and made anew. */
  private restart(id: number): void {
    const { scheduler } = this.world;
    const node = this.world.nodes[id] as SimNode;
    const { broker, process } = node;
    this.world.note(`${node.name} is rolled`);
    this.stopping.add(node);
    const over = () => {
      if (!this.stopping.delete(node)) return;
      process?.kill();
      this.revisions.set(node, this.revision);
      scheduler.after(START_MS, null, () => {
        if (node.isUp && node.process?.alive !== true) this.world.start(node);
      });
    };
    if (process?.alive !== true) return over();
    process.run(() => void broker?.stop().then(over));
    const startedMs = scheduler.nowMs;
    const watch = () => {
      if (!this.stopping.has(node)) return;
      if (!process.alive || scheduler.nowMs - startedMs > GRACE_MS) over();
      else scheduler.after(LOOK_MS, null, watch);
    };
    watch();
  }
}
