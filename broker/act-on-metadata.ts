/** What a broker does about what it hears: replicas get their roles, at the start and with every change. */
import { topicIdOf } from '../kube/kafka-objects.ts';
import type { LineChange, MetadataImage } from './metadata/image.ts';
import type { Metadata } from './metadata/metadata.ts';
import type { Replicas } from './replicas.ts';

export interface Actors {
  readonly metadata: Pick<Metadata, 'image' | 'listen'>;
  readonly replicas: Pick<
    Replicas,
    'noteGeneration' | 'onLines' | 'onTopic' | 'refreshRules' | 'reportStrays'
  >;
  readonly clusterId: string;
  readonly onTopicGone: (name: string) => void;
  readonly onCluster: () => void;
  readonly onFatal: (why: string) => void;
}

/**
 * Topics that ended: a newer page has no line of theirs any more. That an object is missing says nothing, for
 * the API may have lost it.
 */
function endedTopics(image: MetadataImage, changes: readonly LineChange[]): Set<string> {
  const ended = new Set<string>();
  for (const { after, before } of changes)
    if (after === null && before !== null && image.topicById(before.topicId) === null)
      ended.add(before.topic);
  return ended;
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
    onLines: (changes) => {
      replicas.onLines(changes);
      for (const name of endedTopics(image, changes)) of.onTopicGone(name);
    },
    onTopic: (topic) => {
      replicas.onTopic(topic);
      replicas.refreshRules(topicIdOf(topic));
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
