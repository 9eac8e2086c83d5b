/** Which topic objects are to be given another id than they have. Pure. */
import { idOfUid, type KafkaTopic, topicIdOf, topicNameOf } from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey } from '../../kube/partition-line.ts';

export interface IdChange {
  readonly topic: KafkaTopic;
  readonly topicId: string;
}

const byAge = (a: KafkaTopic, b: KafkaTopic) =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  a.metadata.name.localeCompare(b.metadata.name);

/**
 * A topic's id outlives its object: a new object of a name that the pages know, and that no other object
 * stands for, gets the id of before. No two objects have the same one, and one whose partitions ended is
 * never used again, whatever a restored status says.
 */
export function planIds(
  topics: readonly KafkaTopic[],
  lines: ReadonlyMap<string, PartitionLine>,
): IdChange[] {
  const hasLines = (id: string) => lines.has(partitionKey(id, 0));
  const holders = new Map<string, KafkaTopic>();
  const doubtful: KafkaTopic[] = [];
  for (const topic of [...topics].sort(byAge)) {
    const id = topicIdOf(topic);
    const isTaken = holders.has(id);
    if (!isTaken) holders.set(id, topic);
    if (topic.metadata.deletionTimestamp === undefined && (isTaken || !hasLines(id)))
      doubtful.push(topic);
  }
  // Of ten thousand topics most are what they were.
  if (doubtful.length === 0) return [];
  const idOf = new Map<string, string>();
  for (const { topic, topicId } of lines.values()) idOf.set(topic, topicId);
  return doubtful.flatMap((topic) => {
    const id = topicIdOf(topic);
    const isHolder = holders.get(id) === topic;
    const known = idOf.get(topicNameOf(topic));
    if (isHolder && known !== undefined && !holders.has(known)) {
      holders.set(known, topic);
      return [{ topic, topicId: known }];
    }
    const own = idOfUid(topic.metadata.uid ?? '');
    return own === id ? [] : [{ topic, topicId: own }];
  });
}
