/** The owner of the cluster: does what docs/how-to/recover.md says, once brokers ask for it. */
import { conditionOf } from '../../kube/conditions.ts';
import { type KafkaCluster, kafkaClusters, RECOVERED_CONDITION } from '../../kube/kafka-objects.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { CLUSTER, NAMESPACE, type World } from './world.ts';

const LOOK_MS = 1_000;

export class SimOwner {
  private readonly world: World;
  private isLooking = false;

  constructor(world: World) {
    this.world = world;
  }

  /** From now on the condition is looked at, until it says that all is well. */
  attend(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.lookLater();
  }

  get isBusy(): boolean {
    return this.isLooking;
  }

  private lookLater(): void {
    this.world.scheduler.after(LOOK_MS, null, () => {
      this.isLooking = !this.look();
      if (this.isLooking) this.lookLater();
    });
  }

  /** Whether nothing is left to do. */
  private look(): boolean {
    const cluster = this.cluster();
    const condition = conditionOf(cluster?.status?.conditions, RECOVERED_CONDITION);
    if (cluster === null || condition === null) return false;
    const { recovery } = cluster.spec;
    if (condition.status === 'True') {
      if (recovery != null) this.say(null);
      return true;
    }
    if (recovery == null && condition.message.includes('adoptVolumes'))
      this.say({ adoptVolumes: true });
    return false;
  }

  private cluster(): KafkaCluster | null {
    const { kube } = this.world;
    const named = ({ metadata }: KubeObject) => metadata.name === CLUSTER;
    const [found] = kube.api.list(kube.kindOf(kafkaClusters), NAMESPACE, named);
    return (found ?? null) as KafkaCluster | null;
  }

  say(recovery: NonNullable<KafkaCluster['spec']['recovery']> | null): void {
    const { kube } = this.world;
    this.world.note(`OWNER says recovery=${JSON.stringify(recovery)}`);
    const patch = { spec: { recovery } } as unknown as Record<string, never>;
    kube.api.patch(kube.kindOf(kafkaClusters), NAMESPACE, CLUSTER, 'merge', patch, null, {});
  }
}
