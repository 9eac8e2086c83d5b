/**
 * Topics that are to be made: whether they are wanted still is asked at that moment. What a controller
 * remembers may be late, and would bring a topic back that was just deleted, without its records.
 */
import { type KafkaTopic, kafkaTopics, topicIdOf } from '../../kube/kafka-objects.ts';
import { partitionKey } from '../../kube/partition-line.ts';
import type { KubeApi } from '../../kube/port.ts';

/** From so many on one list costs less than asking for each. */
const ASKED_ONE_BY_ONE_MAX = 20;

export interface NewTopicsDeps {
  readonly api: KubeApi;
}

export class NewTopics {
  private readonly deps: NewTopicsDeps;
  /** By uid: what was there when it was asked for. A later deletion is seen by whoever asked. */
  private readonly wanted = new Set<string>();

  constructor(deps: NewTopicsDeps) {
    this.deps = deps;
  }

  /**
   * Leaves out topics without a line that are not there any more.
   * @throws what the API throws
   */
  async withoutGone(
    topics: readonly KafkaTopic[],
    lines: { readonly has: (key: string) => boolean },
  ): Promise<readonly KafkaTopic[]> {
    const isDoubtful = (topic: KafkaTopic) =>
      topic.metadata.deletionTimestamp === undefined &&
      !lines.has(partitionKey(topicIdOf(topic), 0)) &&
      !this.wanted.has(topic.metadata.uid ?? '');
    const doubtful = topics.filter(isDoubtful);
    if (doubtful.length === 0) return topics;
    for (const { metadata } of await this.current(doubtful))
      if (metadata.deletionTimestamp === undefined) this.wanted.add(metadata.uid ?? '');
    return topics.filter((topic) => !isDoubtful(topic));
  }

  private async current(topics: readonly KafkaTopic[]): Promise<KafkaTopic[]> {
    const { api } = this.deps;
    const namespace = topics[0]?.metadata.namespace ?? '';
    if (topics.length > ASKED_ONE_BY_ONE_MAX)
      return [...(await api.list(kafkaTopics, { namespace })).items];
    const found = await Promise.all(
      topics.map(({ metadata: { name } }) => api.get(kafkaTopics, namespace, name)),
    );
    return found.filter((topic) => topic !== null);
  }
}
