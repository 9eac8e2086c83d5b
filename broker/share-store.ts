/** The share coordinator of any group and partition: this broker or another one. */
import { codeOf, type ErrorName, errorName } from '../proto/kafka/errors.ts';
import { expectNoBug } from '../stdx/bug.ts';
import type { Logger } from '../stdx/logger.ts';
import { SHARE_TOPIC } from './api/ports.ts';
import {
  coordinatorKey,
  type ShareKey,
  type ShareStateCoordinator,
  type StateBatch,
} from './coordinator/share-state.ts';
import type { InternalTopics } from './internal-topics.ts';
import type { MetadataImage } from './metadata/image.ts';
import type { SharePeers, ShareStateHandlers } from './replication/share-peers.ts';
import type { ShareStore } from './share/share-partitions.ts';

export interface ShareStoreDeps {
  readonly logger: Logger;
  readonly selfId: number;
  readonly image: MetadataImage;
  readonly states: ShareStateCoordinator;
  readonly peers: SharePeers;
  readonly topics: InternalTopics;
}

export class ClusterShareStore implements ShareStore {
  private readonly deps: ShareStoreDeps;

  constructor(deps: ShareStoreDeps) {
    this.deps = deps;
  }

  private coordinatorOf(key: ShareKey): number | null {
    const { image, states, topics } = this.deps;
    const topic = image.topic(SHARE_TOPIC);
    if (topic === null) topics.ensure(SHARE_TOPIC);
    return topic?.partitions[states.partitionFor(coordinatorKey(key))]?.leader?.id ?? null;
  }

  async read(
    key: ShareKey,
    leaderEpoch: number,
  ): Promise<{ startOffset: number; batches: readonly StateBatch[] } | ErrorName> {
    const id = this.coordinatorOf(key);
    if (id === null) return 'COORDINATOR_NOT_AVAILABLE';
    const { logger, peers, selfId, states } = this.deps;
    if (id === selfId) return states.read(key, leaderEpoch);
    try {
      const { errorCode, startOffset, batches } = await peers.read(id, key, leaderEpoch);
      return errorCode === 0 ? { startOffset, batches } : errorName(errorCode);
    } catch (cause) {
      expectNoBug('asking the share coordinator', cause);
      logger.debug('the share coordinator does not answer', { broker: id, cause });
      return 'COORDINATOR_NOT_AVAILABLE';
    }
  }

  async write(
    key: ShareKey,
    leaderEpoch: number,
    state: { startOffset: number; batches: readonly StateBatch[] } | null,
  ): Promise<ErrorName> {
    const id = this.coordinatorOf(key);
    if (id === null) return 'COORDINATOR_NOT_AVAILABLE';
    const { logger, peers, selfId, states } = this.deps;
    if (id === selfId) return states.write(key, leaderEpoch, state);
    const { startOffset = -1, batches = [] } = state ?? {};
    try {
      const remove = state === null;
      return errorName(await peers.write(id, { key, leaderEpoch, startOffset, batches, remove }));
    } catch (cause) {
      expectNoBug('asking the share coordinator', cause);
      logger.debug('the share coordinator does not answer', { broker: id, cause });
      return 'COORDINATOR_NOT_AVAILABLE';
    }
  }

  /** What peers ask of this broker. */
  readonly handlers: ShareStateHandlers = {
    read: async (key, leaderEpoch) => {
      const found = await this.deps.states.read(key, leaderEpoch);
      if (typeof found === 'string')
        return { errorCode: codeOf(found), startOffset: -1, batches: [] };
      return { errorCode: 0, startOffset: found.startOffset, batches: found.batches };
    },
    write: async ({ key, leaderEpoch, startOffset, batches, remove }) => {
      const state = remove ? null : { startOffset, batches };
      return codeOf(await this.deps.states.write(key, leaderEpoch, state));
    },
  };
}
