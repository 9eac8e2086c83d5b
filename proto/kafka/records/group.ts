/** Records of __consumer_offsets: classic groups and committed offsets. */
import {
  array,
  bytes,
  field,
  type Infer,
  int32,
  int64,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const offsetCommitKey = message(
  { name: 'OffsetCommitKey', versions: [0, 0] },
  {
    group: string,
    topic: string,
    partition: int32,
  },
);
export type OffsetCommitKey = Infer<typeof offsetCommitKey>;

export const offsetCommitValue = message(
  { name: 'OffsetCommitValue', versions: [0, 4], flexibleSince: 4 },
  {
    offset: int64,
    leaderEpoch: field(int32, { since: 3, default: -1 }),
    metadata: string,
    commitTimestamp: int64,
    expireTimestamp: field(int64, { since: 1, until: 1, default: -1 }),
    topicId: field(uuid, { since: 4, tag: 0, tagSince: 4 }),
  },
);
export type OffsetCommitValue = Infer<typeof offsetCommitValue>;

export const groupMetadataKey = message(
  { name: 'GroupMetadataKey', versions: [0, 0] },
  {
    group: string,
  },
);
export type GroupMetadataKey = Infer<typeof groupMetadataKey>;

const memberMetadata = struct({
  memberId: string,
  groupInstanceId: field(string, { since: 3, nullable: 3, default: null }),
  clientId: string,
  clientHost: string,
  rebalanceTimeout: field(int32, { since: 1, default: -1 }),
  sessionTimeout: int32,
  subscription: bytes,
  assignment: bytes,
});
export const groupMetadataValue = message(
  { name: 'GroupMetadataValue', versions: [0, 4], flexibleSince: 4 },
  {
    protocolType: string,
    generation: int32,
    protocol: field(string, { nullable: 0 }),
    leader: field(string, { nullable: 0 }),
    currentStateTimestamp: field(int64, { since: 2, default: -1 }),
    members: array(memberMetadata),
  },
);
export type GroupMetadataValue = Infer<typeof groupMetadataValue>;
