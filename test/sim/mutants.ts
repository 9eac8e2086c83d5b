/**
 * Bugs planted on purpose: each breaks one rule that keeps data safe, and the simulator must find it.
 * They are put in place of methods while a world runs, so that no product code knows of them.
 */
import { GroupShard } from '../../broker/coordinator/group-shard.ts';
import { PartitionLog } from '../../broker/log/partition-log.ts';
import { ProducerState } from '../../broker/log/producer-state.ts';
import { Pages } from '../../broker/metadata/pages.ts';
import { Session } from '../../broker/metadata/session.ts';
import { LeaderCore } from '../../broker/partition/leader-core.ts';
import { Partition } from '../../broker/partition/partition.ts';
import { kafkaPartitionMaps } from '../../kube/kafka-objects.ts';
import { replace } from '../planted.ts';
import type { FaultKind } from './fault-kinds.ts';

export interface Mutant {
  readonly name: string;
  /** Which rule it breaks. */
  readonly breaks: string;
  /** The faults under which it shows soonest. */
  readonly kinds: readonly FaultKind[];
  /** Within so many seeds it must be found. */
  readonly seeds: number;
  readonly plant: () => Disposable;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'isr-not-enforced',
    breaks: 'a record is committed when every in-sync replica has it',
    kinds: ['kill', 'power', 'slow'],
    seeds: 200,
    plant: () =>
      replace(LeaderCore, 'advance', (_original, self, [writtenOffset]) => {
        if (self.hw >= writtenOffset) return false;
        self.hw = writtenOffset;
        return true;
      }),
  },
  {
    name: 'loss-not-noticed',
    breaks: 'a broker that lost its page cache begins with a new standing',
    kinds: ['power', 'cut', 'pause'],
    seeds: 60,
    plant: () =>
      replace(Session, 'begin', (original, _self, [cluster, lives]) => {
        const former = lives.former === null ? null : { ...lives.former, keptData: true };
        return original(cluster, { ...lives, former });
      }),
  },
  {
    name: 'truncate-to-high-watermark',
    breaks: 'a follower cuts its log by epochs, never to what it believes is committed',
    kinds: ['kill', 'pause', 'roll', 'stopAll'],
    seeds: 60,
    plant: () =>
      replace(Partition, 'applyLine', (original, self, args) => {
        const before = self.role.kind;
        original(...args);
        if (before !== 'follower' && self.role.kind === 'follower')
          self.truncateTo(self.highWatermark);
      }),
  },
  {
    name: 'no-cut-where-logs-part',
    breaks: 'a follower throws away what its leader does not have',
    kinds: ['kill', 'pause', 'apiCut'],
    seeds: 60,
    plant: () => replace(Partition, 'truncateTo', () => undefined),
  },
  {
    name: 'sequences-not-checked',
    breaks: 'a batch that is sent again is written once',
    kinds: ['kill', 'slow', 'cut'],
    seeds: 40,
    plant: () => replace(ProducerState, 'judge', () => ({ kind: 'append' })),
  },
  {
    name: 'open-transactions-visible',
    breaks: 'readers of committed records see nothing from where a transaction is open on',
    kinds: ['kill', 'stop'],
    seeds: 20,
    plant: () => replace(ProducerState, 'firstUnstableOffset', () => Infinity),
  },
  {
    name: 'offsets-not-loaded',
    breaks: 'a new coordinator begins with what was committed before it',
    kinds: ['stop', 'roll'],
    seeds: 20,
    plant: () => replace(GroupShard, 'replayBatch', () => undefined),
  },
  {
    name: 'missing-beginning-accepted',
    breaks: 'a log whose first segments are gone is no complete replica',
    kinds: ['power'],
    seeds: 80,
    plant: () =>
      replace(PartitionLog, 'openFolder', (original, _, args) => ({
        ...original(...args),
        missingFrom: null,
      })),
  },
  {
    name: 'no-compare-and-swap',
    breaks: 'a page is written over the version that the decision was made from',
    kinds: ['isolate', 'move'],
    seeds: 150,
    plant: () =>
      replace(Pages, 'writePage', async (original, self, [name, updates]) => {
        const page = self.pages.get(name);
        const { api, namespace } = self.deps;
        const current = await api.get(kafkaPartitionMaps, namespace, name).catch(() => null);
        if (page !== undefined && current !== null)
          page.object = { ...page.object, metadata: current.metadata };
        return original(name, updates);
      }),
  },
];
