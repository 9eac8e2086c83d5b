/** Topics whose cluster is gone: nobody else can answer for them, so that deleting them never hangs. */
import { conditionOf, conditionsWith } from '../../kube/conditions.ts';
import { type KafkaTopic, kafkaTopics, TOPIC_FINALIZER } from '../../kube/kafka-objects.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';

export async function reconcileOrphan(
  api: KubeApi,
  topic: KafkaTopic,
  clusterExists: boolean,
  now: string,
): Promise<void> {
  if (clusterExists) return;
  const { namespace = '', name, finalizers = [], deletionTimestamp, generation } = topic.metadata;
  try {
    if (deletionTimestamp !== undefined) {
      const left = finalizers.filter((finalizer) => finalizer !== TOPIC_FINALIZER);
      if (left.length < finalizers.length)
        await api.patch(
          kafkaTopics,
          { namespace, name },
          { metadata: { finalizers: left.length === 0 ? null : left } },
        );
      return;
    }
    if (conditionOf(topic.status?.conditions, 'Ready')?.reason === 'ClusterNotFound') return;
    const message = `KafkaCluster ${topic.spec.clusterRef.name} does not exist in namespace ${namespace}`;
    const condition = {
      type: 'Ready',
      status: 'False',
      reason: 'ClusterNotFound',
      message,
      observedGeneration: generation ?? 0,
    } as const;
    const conditions = conditionsWith(topic.status?.conditions ?? [], [condition], now);
    await api.patch(
      kafkaTopics,
      { namespace, name, subresource: 'status' },
      { status: { conditions } },
    );
  } catch (cause) {
    if (!isKubeError(cause, 404)) throw cause;
  }
}
