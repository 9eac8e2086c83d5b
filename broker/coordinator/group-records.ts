/** The records of __consumer_offsets in Kafka's form, both ways. Pure. */
import { Reader } from '../../proto/kafka/cursor.ts';
import {
  type GroupMetadataValue,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../proto/kafka/records/group.ts';
import type { Partially } from '../../proto/kafka/schema.ts';
import { type ConsumerGroupRecord, readConsumerRecord } from './consumer-group-records.ts';
import { prefixed, type RecordPair } from './record-pair.ts';
import { readShareRecord, type ShareGroupRecord } from './share-group-records.ts';
import { readStreamsRecord, type StreamsGroupRecord } from './streams-group-records.ts';

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
}

export type GroupRecord =
  | {
      readonly kind: 'offset';
      readonly groupId: string;
      readonly topic: string;
      readonly partition: number;
      readonly value: CommittedOffset | null;
    }
  | { readonly kind: 'group'; readonly groupId: string; readonly value: GroupMetadataValue | null }
  | ConsumerGroupRecord
  | ShareGroupRecord
  | StreamsGroupRecord
  | { readonly kind: 'unknown' };

const OFFSET_KEY = 1;
const GROUP_KEY = 2;
const OFFSET_VALUE_VERSION = 3;
const GROUP_VALUE_VERSION = 3;

export function offsetRecord(
  of: { groupId: string; topic: string; partition: number },
  value: CommittedOffset | null,
): RecordPair {
  const key = { group: of.groupId, topic: of.topic, partition: of.partition };
  return {
    key: prefixed(OFFSET_KEY, offsetCommitKey, 0, key),
    value:
      value === null
        ? null
        : prefixed(OFFSET_VALUE_VERSION, offsetCommitValue, OFFSET_VALUE_VERSION, {
            offset: value.offset,
            leaderEpoch: value.leaderEpoch,
            metadata: value.metadata,
            commitTimestamp: value.commitTimestampMs,
          }),
  };
}

export function groupRecord(
  groupId: string,
  value: Partially<GroupMetadataValue> | null,
): RecordPair {
  return {
    key: prefixed(GROUP_KEY, groupMetadataKey, 0, { group: groupId }),
    value:
      value === null
        ? null
        : prefixed(GROUP_VALUE_VERSION, groupMetadataValue, GROUP_VALUE_VERSION, value),
  };
}

/** @throws MalformedMessage where the bytes are damaged. */
export function readGroupRecord({
  key,
  value,
}: {
  key: Buffer | null;
  value: Buffer | null;
}): GroupRecord {
  if (key === null || key.length < 2) return { kind: 'unknown' };
  const type = key.readInt16BE(0);
  const keyReader = new Reader(key, 2);
  const version = value === null ? 0 : value.readInt16BE(0);
  if (type === GROUP_KEY) {
    const { group } = groupMetadataKey.read(keyReader, 0);
    return {
      kind: 'group',
      groupId: group,
      value: value === null ? null : groupMetadataValue.read(new Reader(value, 2), version),
    };
  }
  if (type !== OFFSET_KEY && type !== 0)
    return (
      readConsumerRecord(key, value) ??
      readShareRecord(key, value) ??
      readStreamsRecord(key, value) ?? { kind: 'unknown' }
    );
  const { group: groupId, topic, partition } = offsetCommitKey.read(keyReader, 0);
  if (value === null) return { kind: 'offset', groupId, topic, partition, value: null };
  const { offset, leaderEpoch, metadata, commitTimestamp } = offsetCommitValue.read(
    new Reader(value, 2),
    version,
  );
  return {
    kind: 'offset',
    groupId,
    topic,
    partition,
    value: { offset, leaderEpoch, metadata, commitTimestampMs: commitTimestamp },
  };
}
