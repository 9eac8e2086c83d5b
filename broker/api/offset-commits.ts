/** What OffsetCommit and TxnOffsetCommit share: from the request's partitions to offsets. */
import { codeOf, type ErrorName } from '../../proto/kafka/errors.ts';
import type { OffsetToCommit } from '../coordinator/group-coordinator.ts';
import type { Ports } from './ports.ts';

interface AskedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }[];
}
interface Slot {
  errorCode: number;
}

/** One error for every partition that was asked about. */
export function answerAll({ topics }: { topics: readonly AskedTopic[] }, error: ErrorName) {
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: codeOf(error),
      })),
    })),
  };
}

/** Writes the errors of offsets into the places that await them. */
export function fill(slots: readonly Slot[], errors: readonly ErrorName[]): void {
  for (const [i, slot] of slots.entries()) slot.errorCode = codeOf(errors[i] as ErrorName);
}

/**
 * Offsets of partitions that exist, with the places in the answer that await their errors; the
 * places of the others are filled in.
 */
export function sortOffsets(
  { image }: Ports,
  topics: readonly AskedTopic[],
  answers: readonly { readonly partitions: Slot[] }[],
  byId: boolean,
): { offsets: OffsetToCommit[]; slots: Slot[] } {
  const offsets: OffsetToCommit[] = [];
  const slots: Slot[] = [];
  for (const [t, topic] of topics.entries()) {
    const known = byId ? image.topicById(topic.topicId) : image.topic(topic.name);
    for (const [p, of] of topic.partitions.entries()) {
      const slot = answers[t]?.partitions[p] as Slot;
      if (known === null || known.partitions[of.partitionIndex] === undefined) {
        const isUnknownId = known === null && byId;
        slot.errorCode = codeOf(isUnknownId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION');
        continue;
      }
      slots.push(slot);
      offsets.push({
        topic: known.name,
        partition: of.partitionIndex,
        offset: of.committedOffset,
        leaderEpoch: of.committedLeaderEpoch,
        metadata: of.committedMetadata ?? '',
      });
    }
  }
  return { offsets, slots };
}
