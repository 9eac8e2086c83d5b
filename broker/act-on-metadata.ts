/** What a broker does about what it hears: replicas get their roles, at the start and with every change. */
import { topicIdOf, topicNameOf } from '../kube/kafka-objects.ts';
import type { Metadata } from './metadata/metadata.ts';
import type { Replicas } from './replicas.ts';

export interface Actors {
  readonly metadata: Metadata;
  readonly replicas: Replicas;
  readonly clusterId: string;
  readonly onTopicGone: (name: string) => void;
  readonly onCluster: () => void;
  readonly onFatal: (why: string) => void;
}

/** Acts on what is known, and on what comes until it is disposed. */
export function actOnMetadata(of: Actors): Disposable {
  const { metadata, replicas } = of;
  const { image } = metadata;
  replicas.noteGeneration();
  for (const { partitions } of image.topics())
    replicas.onLines(
      partitions.flatMap((line) => (line === undefined ? [] : [{ before: null, after: line }])),
    );
  replicas.reportStrays();
  replicas.refreshRules(null);
  return metadata.listen({
    onLines: (changes) => replicas.onLines(changes),
    onTopic: (topic, present) => {
      replicas.onTopic(topic);
      replicas.refreshRules(topicIdOf(topic));
      const name = topicNameOf(topic);
      if (!present && image.topicObjectNamed(name) === null) of.onTopicGone(name);
    },
    onState: ({ spec }) => {
      // Volumes that were new when the cluster had not said yet who it is.
      if (spec.clusterId !== of.clusterId)
        of.onFatal('the cluster turned out to be another one than the volumes were new for');
    },
    onCluster: () => {
      replicas.refreshRules(null);
      of.onCluster();
    },
  });
}
