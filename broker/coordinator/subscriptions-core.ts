/** What classic consumers say to each other inside the group protocol, read by the broker. Pure. */
import { MalformedMessage, Reader } from '../../proto/kafka/cursor.ts';
import {
  type ConsumerProtocolSubscription,
  consumerProtocolSubscription,
} from '../../proto/kafka/messages/consumer-protocol.ts';
import { type Group, metadataOf } from './group.ts';

const VERSION_MAX = consumerProtocolSubscription.versions[1];

/** The subscription inside a member's metadata; null where it is none. */
export function readSubscription(metadata: Buffer): ConsumerProtocolSubscription | null {
  if (metadata.length < 2) return null;
  const version = Math.min(metadata.readInt16BE(0), VERSION_MAX);
  if (version < 0) return null;
  try {
    return consumerProtocolSubscription.read(new Reader(metadata, 2), version);
  } catch (cause) {
    if (!(cause instanceof MalformedMessage)) throw cause;
    return null;
  }
}

/** Topics that any member of a classic consumer group is subscribed to. */
export function subscribedTopics(group: Group): Set<string> {
  const topics = new Set<string>();
  if (group.protocolType !== 'consumer') return topics;
  for (const member of group.members.values()) {
    for (const topic of readSubscription(metadataOf(member, group.protocol))?.topics ?? [])
      topics.add(topic);
  }
  return topics;
}
