/** Records of __share_group_state (KIP-932). */
import {
  array,
  field,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const shareSnapshotKey = message(
  { name: 'ShareSnapshotKey', versions: [0, 0] },
  {
    groupId: string,
    topicId: uuid,
    partition: int32,
  },
);
export type ShareSnapshotKey = Infer<typeof shareSnapshotKey>;

export const shareSnapshotValue = message(
  { name: 'ShareSnapshotValue', versions: [0, 0], flexibleSince: 0 },
  {
    snapshotEpoch: int32,
    stateEpoch: int32,
    leaderEpoch: int32,
    startOffset: int64,
    deliveryCompleteCount: field(int32, { tag: 0, tagSince: 0, default: -1 }),
    createTimestamp: int64,
    writeTimestamp: int64,
    stateBatches: array(
      struct({
        firstOffset: int64,
        lastOffset: int64,
        deliveryState: int8,
        deliveryCount: int16,
      }),
    ),
  },
);
export type ShareSnapshotValue = Infer<typeof shareSnapshotValue>;
