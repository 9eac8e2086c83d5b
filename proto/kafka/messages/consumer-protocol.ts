/** What consumers of the classic protocol say to each other inside JoinGroup and SyncGroup. */
import { array, bytes, field, type Infer, int32, message, string, struct } from '../schema.ts';

export const consumerProtocolSubscription = message(
  { name: 'ConsumerProtocolSubscription', versions: [0, 3] },
  {
    topics: array(string),
    userData: field(bytes, { nullable: 0, default: null }),
    ownedPartitions: field(
      array(
        struct({
          topic: field(string, { since: 1 }),
          partitions: field(array(int32), { since: 1 }),
        }),
      ),
      { since: 1 },
    ),
    generationId: field(int32, { since: 2, default: -1 }),
    rackId: field(string, { since: 3, nullable: 3, default: null }),
  },
);
export type ConsumerProtocolSubscription = Infer<typeof consumerProtocolSubscription>;

export const consumerProtocolAssignment = message(
  { name: 'ConsumerProtocolAssignment', versions: [0, 3] },
  {
    assignedPartitions: array(
      struct({
        topic: string,
        partitions: array(int32),
      }),
    ),
    userData: field(bytes, { nullable: 0, default: null }),
  },
);
export type ConsumerProtocolAssignment = Infer<typeof consumerProtocolAssignment>;
