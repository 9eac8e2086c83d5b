/**
 * One-line bugs in what keeps records safe, and what finds each. A line is given as it stands in its
 * file, so that a mutant whose line has changed is noticed (mutants.test.ts).
 */

/** What must fail: one of the tests in a file, or the simulator within so many seeds. */
export type Killer =
  | { readonly test: string }
  | { readonly seeds: number; readonly faults?: string; readonly features?: string };

export interface Mutant {
  readonly name: string;
  /** The rule that holds no more. */
  readonly breaks: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly put: string;
  readonly by: Killer;
}

const LEADER = 'broker/partition/leader-core.ts';
const ELECTION = 'broker/metadata/election-core.ts';
const SEQUENCES = 'broker/log/sequence-core.ts';
const PRODUCERS = 'broker/log/producer-state.ts';
const SEGMENTS = 'broker/log/log-segments.ts';
const STANDING = 'broker/metadata/standing-core.ts';
const COMPACTION = 'broker/log/compaction-core.ts';

const leaders: readonly Mutant[] = [
  {
    name: 'high-watermark-below-min-isr',
    breaks: 'the high watermark stands still while the ISR is too small (KIP-966)',
    file: LEADER,
    find: 'if (this.current.isr.length < this.effectiveMinIsr(rules)) return false;',
    put: '',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'proposed-member-not-waited-for',
    breaks: 'the high watermark is taken over everybody who may be in the ISR',
    file: LEADER,
    find: 'if (!hasMember(this.current.isr, member)) yield member;',
    put: '',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'high-watermark-goes-back',
    breaks: 'the high watermark of a leader only grows',
    file: LEADER,
    find: 'if (lowest <= this.hw || lowest === Infinity) return false;',
    put: 'if (lowest === Infinity) return false;',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'follower-of-another-life-counted',
    breaks: 'what a former life of a follower confirmed does not count',
    file: LEADER,
    find: 'return follower !== undefined && follower.brokerEpoch === epoch ? follower.endOffset : -1;',
    put: 'return follower !== undefined ? follower.endOffset : -1;',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'late-word-of-a-former-life',
    breaks: 'an acknowledgement of an older broker epoch is ignored',
    file: LEADER,
    find: 'if (at.brokerEpoch < follower.brokerEpoch) return;',
    put: '',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'joins-below-high-watermark',
    breaks: 'who joins the ISR has everything that is committed',
    file: LEADER,
    find: 'const caughtUp = following && endOffset >= this.hw && endOffset >= this.epochStartOffset;',
    put: 'const caughtUp = following && endOffset >= this.epochStartOffset;',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'joins-below-epoch-start',
    breaks: 'who joins the ISR has everything from before this leader epoch',
    file: LEADER,
    find: 'const caughtUp = following && endOffset >= this.hw && endOffset >= this.epochStartOffset;',
    put: 'const caughtUp = following && endOffset >= this.hw;',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'joins-without-following',
    breaks: 'who joins the ISR follows in this leader epoch',
    file: LEADER,
    find: 'const caughtUp = following && endOffset >= this.hw && endOffset >= this.epochStartOffset;',
    put: 'const caughtUp = endOffset >= this.hw && endOffset >= this.epochStartOffset;',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'second-proposal-over-a-first',
    breaks: 'a proposed ISR stands until somebody has decided about it',
    file: LEADER,
    find: 'if (this.proposed !== null) return null;',
    put: '',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'idle-follower-looks-dead',
    breaks: 'a follower that has all there is is not late',
    file: LEADER,
    find: 'if (isThatLife && follower.endOffset >= writtenOffset) return false;',
    put: '',
    by: { test: 'broker/partition/leader-core.test.ts' },
  },
  {
    name: 'acknowledgement-of-another-epoch',
    breaks: 'what a follower confirms is of the leader epoch that it names',
    file: 'broker/replication/leader-stream.ts',
    find: 'if (subscription === undefined || subscription.leaderEpoch !== leaderEpoch) continue;',
    put: 'if (subscription === undefined) continue;',
    by: { test: 'broker/replication/leader-stream.test.ts' },
  },
  {
    name: 'records-of-any-epoch-appended',
    breaks: 'a follower takes records of the epoch that it follows',
    file: 'broker/partition/partition.ts',
    find: "if (this.role.kind !== 'follower' || this.role.leaderEpoch !== leaderEpoch)",
    put: "if (this.role.kind !== 'follower')",
    by: { test: 'broker/partition/partition.test.ts' },
  },
];

const controller: readonly Mutant[] = [
  {
    name: 'isr-changed-for-an-old-leader',
    breaks: 'only the leader of the newest epoch changes the ISR',
    file: ELECTION,
    find: 'if (!sameMember(line.leader, change.leader) || line.leaderEpoch !== change.leaderEpoch)',
    put: 'if (!sameMember(line.leader, change.leader))',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'isr-changed-from-an-old-line',
    breaks: 'a change of the ISR is made to the line that it was decided on (KIP-497)',
    file: ELECTION,
    find: "if (line.partitionEpoch !== change.partitionEpoch) return 'the line has changed meanwhile';",
    put: '',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'dead-broker-into-the-isr',
    breaks: 'who joins the ISR is live, in the life that is named (KIP-903)',
    file: ELECTION,
    find: 'if (!mayLead(brokers, member))\n      return `broker',
    put: 'if (false)\n      return `broker',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'standing-kept-without-a-reason',
    breaks: 'a broker in a new life keeps its standing only if it lost nothing since',
    file: ELECTION,
    find: 'if (broker.keptSince <= member.epoch) list.push({ id: member.id, epoch: broker.epoch });',
    put: 'list.push({ id: member.id, epoch: broker.epoch });',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'elr-forgotten',
    breaks: 'who leaves an ISR that is too small may still be elected (KIP-966)',
    file: ELECTION,
    find: 'const elr = isr.length >= effectiveMinIsr(line, rules) ? [] : left;',
    put: 'const elr: Member[] = [];',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'elr-kept-for-too-long',
    breaks: 'once the ISR is large enough again nobody else may be elected',
    file: ELECTION,
    find: 'const elr = isr.length >= effectiveMinIsr(line, rules) ? [] : left;',
    put: 'const elr = left;',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'leader-epoch-not-raised',
    breaks: 'each change of leader has an epoch of its own',
    file: ELECTION,
    find: 'next = { ...next, leader, leaderEpoch: next.leaderEpoch + 1 };',
    put: 'next = { ...next, leader };',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'unclean-without-being-asked',
    breaks: 'a replica that is not in sync leads only where the owner said so',
    file: ELECTION,
    find: 'if (rules.uncleanLeaderElection) {',
    put: 'if (rules) {',
    by: { test: 'broker/metadata/election-core.test.ts' },
  },
  {
    name: 'page-of-a-newer-controller-written',
    breaks: 'a controller that meets a page of a newer one ends',
    file: 'broker/metadata/pages.ts',
    find: 'if (page.spec.controllerEpoch > this.deps.controllerEpoch) {',
    put: 'if (page.spec.controllerEpoch < 0) {',
    by: { test: 'broker/metadata/pages.test.ts' },
  },
  {
    name: 'page-not-read-again',
    breaks: 'a write that failed is unknown until the page is read again',
    file: 'broker/metadata/pages.ts',
    find: 'if (current.spec.controllerEpoch === this.deps.controllerEpoch) this.take(current);',
    put: 'if (current.spec.controllerEpoch === this.deps.controllerEpoch) return;',
    by: { test: 'broker/metadata/pages.test.ts' },
  },
];

const replication: readonly Mutant[] = [
  {
    name: 'leader-says-it-matches',
    breaks: 'a follower whose log parted from its leader is told where',
    file: 'broker/replication/divergence-core.ts',
    find: 'if (end.epoch !== lastEpoch || end.endOffset < logEndOffset) return { diverging: end };',
    put: 'if (end.endOffset < logEndOffset) return { diverging: end };',
    by: { test: 'broker/replication/divergence-core.test.ts' },
  },
  {
    name: 'cut-too-little',
    breaks: 'a follower cuts to the end of the last epoch that both logs have (KIP-279)',
    file: 'broker/replication/divergence-core.ts',
    find: ': Math.min(leader.endOffset, mine.endOffset);',
    put: ': leader.endOffset;',
    by: { test: 'broker/replication/divergence-core.test.ts' },
  },
  {
    name: 'epochs-kept-after-a-cut',
    breaks: 'what is cut from a log is cut from its epochs, too',
    file: 'broker/log/partition-log.ts',
    find: 'this.epochs.truncateFromEnd(this.endOffset);\n    this.writeEpochs();',
    put: 'this.writeEpochs();',
    by: { test: 'broker/log/partition-log.test.ts' },
  },
];

const logs: readonly Mutant[] = [
  {
    name: 'memory-survives-a-cut',
    breaks: 'what is cut is not answered from memory',
    file: SEGMENTS,
    find: 'if (memoryFrom === Infinity) this.tail.clear();',
    put: 'if (memoryFrom === Infinity) this.tail.dropBefore(0);',
    by: { test: 'broker/log/log-truth.test.ts' },
  },
  {
    name: 'memory-survives-a-compaction',
    breaks: 'what compaction removed is not answered from memory',
    file: SEGMENTS,
    find: 'else this.tail.dropBefore(memoryFrom);',
    put: '',
    by: { test: 'broker/log/log-truth.test.ts' },
  },
  {
    name: 'aborted-list-ends-early',
    breaks: 'a reader of committed records is told of every aborted transaction in what it gets',
    file: SEGMENTS,
    find: 'if (aborted.lastStableOffset >= endOffset) return found;',
    put: 'return found;',
    by: { test: 'broker/log/log-transactions.test.ts' },
  },
  {
    name: 'recovery-point-too-far',
    breaks: 'the recovery point covers what is on stable storage only',
    file: 'broker/log/partition-log.ts',
    find: 'this.recoveryPoint = isScanned ? Math.min(known.recoveryPoint, endOffset) : endOffset;',
    put: 'this.recoveryPoint = endOffset;',
    by: { seeds: 200, faults: 'power,kill' },
  },
  {
    name: 'missing-beginning-accepted',
    breaks: 'a log whose first segments are gone is no complete replica',
    file: 'broker/log/log-opening.ts',
    find: 'if (lossy !== true || baseOffset <= startOffset) return null;',
    put: 'return null;',
    by: { test: 'broker/log/partition-log.test.ts' },
  },
  {
    name: 'hole-accepted-after-power-loss',
    breaks: 'a log that lacks a segment in the middle ends before it',
    file: 'broker/log/log-opening.ts',
    find: 'if (i > scanFrom && lossy === true && segment.baseOffset !== end) {',
    put: 'if (false as boolean) {',
    by: { test: 'broker/log/partition-log.test.ts' },
  },
];

const producers: readonly Mutant[] = [
  {
    name: 'old-producer-epoch-accepted',
    breaks: 'a producer that was fenced appends nothing',
    file: SEQUENCES,
    find: 'if (epoch < known.epoch) return OLD_EPOCH;',
    put: '',
    by: { test: 'broker/log/sequence-core.test.ts' },
  },
  {
    name: 'one-remembered-batch',
    breaks: 'the last five batches of a producer are known as repeats',
    file: SEQUENCES,
    find: 'export const BATCHES_KEPT = 5;',
    put: 'export const BATCHES_KEPT = 1;',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
  {
    name: 'gap-accepted',
    breaks: 'the sequences of a producer have no gap',
    file: SEQUENCES,
    find: 'return baseSequence === sequencePlus(last.lastSequence, 1) ? APPEND : OUT_OF_ORDER;',
    put: 'return APPEND;',
    by: { test: 'broker/log/sequence-core.test.ts' },
  },
  {
    name: 'new-epoch-at-any-sequence',
    breaks: 'the first batch of an epoch has sequence 0',
    file: SEQUENCES,
    find: 'if (last === undefined) return baseSequence === 0 ? APPEND : OUT_OF_ORDER;',
    put: 'if (last === undefined) return APPEND;',
    by: { test: 'broker/log/sequence-core.test.ts' },
  },
  {
    name: 'refused-batch-overtaken',
    breaks: 'a batch that was refused for the moment is not overtaken by a later one (KIP-890)',
    file: SEQUENCES,
    find: 'if (known === null) return mayBeFirst(baseSequence, start) ? APPEND : OUT_OF_ORDER;',
    put: 'if (known === null) return APPEND;',
    by: { test: 'broker/log/sequence-core.test.ts' },
  },
  {
    name: 'outside-of-the-open-transaction',
    breaks: 'while a transaction is open its producer writes nothing beside it',
    file: SEQUENCES,
    find: 'if (!isTransactional && known.txnFirstOffset >= 0) return OUTSIDE;',
    put: '',
    by: { test: 'broker/log/sequence-core.test.ts' },
  },
  {
    name: 'marker-of-an-old-coordinator',
    breaks: 'a coordinator that was replaced writes no marker',
    file: PRODUCERS,
    find: 'if (marker.coordinatorEpoch < producer.coordinatorEpoch)',
    put: 'if (marker.coordinatorEpoch < -1)',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
  {
    name: 'marker-of-an-old-producer-epoch',
    breaks: 'a marker ends no later transaction than its own',
    file: PRODUCERS,
    find: "if (marker.producerEpoch < producer.epoch) return 'INVALID_PRODUCER_EPOCH';",
    put: '',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
  {
    name: 'end-not-held-back',
    breaks: 'a transaction is visible once its marker is committed, and not before',
    file: PRODUCERS,
    find: 'this.ended.push({ firstOffset, lastOffset });',
    put: '',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
  {
    name: 'sequences-survive-the-epoch',
    breaks: 'an epoch begins without the sequences of the one before',
    file: PRODUCERS,
    find: 'producer.epoch = epoch;\n      producer.batches = [];',
    put: 'producer.epoch = epoch;',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
  {
    name: 'open-transaction-expires',
    breaks: 'a producer with an open transaction is not forgotten',
    file: PRODUCERS,
    find: 'if (lastTimestampMs < olderThanMs && txnFirstOffset < 0) this.producers.delete(producerId);',
    put: 'if (lastTimestampMs < olderThanMs) this.producers.delete(producerId);',
    by: { test: 'broker/log/producer-state.test.ts' },
  },
];

const compaction: readonly Mutant[] = [
  {
    name: 'newest-of-a-key-removed',
    breaks: 'compaction keeps the newest record of each key',
    file: COMPACTION,
    find: "return offset < (this.offsets.get(key.toString('latin1')) ?? -1);",
    put: "return offset <= (this.offsets.get(key.toString('latin1')) ?? -1);",
    by: { test: 'broker/log/compaction.test.ts' },
  },
  {
    name: 'tombstone-goes-at-once',
    breaks: 'a tombstone stays for delete.retention.ms',
    file: COMPACTION,
    find: 'return !isTombstone || horizonMs === null || this.rules.nowMs < horizonMs;',
    put: 'return !isTombstone;',
    by: { test: 'broker/log/compaction.test.ts' },
  },
  {
    name: 'marker-goes-before-its-records',
    breaks: 'a marker stays while a record of its transaction does',
    file: COMPACTION,
    find: 'if (!mayGo) return whole;',
    put: '',
    by: { test: 'broker/log/compaction.test.ts' },
  },
  {
    name: 'aborted-records-kept',
    breaks: 'compaction removes records of aborted transactions before it removes their marker',
    file: COMPACTION,
    find: 'const kept = gone ? [] : records.filter(',
    put: 'const kept = gone ? records : records.filter(',
    by: { test: 'broker/log/compaction.test.ts' },
  },
  {
    name: 'end-of-the-log-compacted-away',
    breaks: 'the last batch that is compacted stays: a copy of the log ends where it does',
    file: COMPACTION,
    find: 'return batch.lastOffset(b, at) + 1 === this.latest.endOffset || this.isLastOfProducer(b, at);',
    put: 'return this.isLastOfProducer(b, at);',
    by: { test: 'broker/log/compaction.test.ts' },
  },
  {
    name: 'last-sequence-compacted-away',
    breaks: 'the last batch of a producer stays, if only as a header',
    file: COMPACTION,
    find: 'return batch.lastOffset(b, at) + 1 === this.latest.endOffset || this.isLastOfProducer(b, at);',
    put: 'return batch.lastOffset(b, at) + 1 === this.latest.endOffset;',
    by: { test: 'broker/log/compaction.test.ts' },
  },
];

const lives: readonly Mutant[] = [
  {
    name: 'older-volume-keeps-its-standing',
    breaks: 'a volume that slept through the last life of its broker is a new replica',
    file: STANDING,
    find: 'if (seen.epoch !== former.epoch) return seen.epoch > former.epoch;',
    put: 'if (seen.epoch !== former.epoch) return false;',
    by: { test: 'broker/metadata/standing-core.test.ts' },
  },
  {
    name: 'pages-not-asked-for-the-life',
    breaks: 'a life that partition lines name counts, also where the Lease is gone',
    file: STANDING,
    find: 'if (pagesEpoch > former.epoch)',
    put: 'if (pagesEpoch < -1)',
    by: { test: 'broker/metadata/standing-core.test.ts' },
  },
  {
    name: 'lost-writes-not-noticed',
    breaks: 'a broker that may have lost what it wrote last has no standing',
    file: STANDING,
    find: "if (!former.keptData) return 'what was written last may be missing';",
    put: '',
    by: { test: 'broker/metadata/standing-core.test.ts' },
  },
  {
    name: 'life-used-twice',
    breaks: 'each life of a broker has an epoch of its own',
    file: STANDING,
    find: 'const epoch = Math.max(...epochs.map((one) => one ?? 0)) + 1;',
    put: 'const epoch = Math.max(...epochs.map((one) => one ?? 0));',
    by: { test: 'broker/metadata/standing-core.test.ts' },
  },
  {
    name: 'directory-that-slept',
    breaks: 'a directory that slept through a life makes the broker incomplete',
    file: 'broker/log/log-directories.ts',
    find: 'if (isDoubted || this.all.some(isSleeper)) return false;',
    put: 'if (isDoubted) return false;',
    by: { test: 'broker/log/log-directories.test.ts' },
  },
  {
    name: 'failed-directory-trusted',
    breaks: 'a directory whose disk failed in the last life is not trusted in the next one',
    file: 'broker/log/log-directories.ts',
    find: 'if (isDoubted || this.all.some(isSleeper)) return false;',
    put: 'if (this.all.some(isSleeper)) return false;',
    by: { test: 'broker/log/log-directories.test.ts' },
  },
  {
    name: 'reboot-taken-for-a-kill',
    breaks: 'a killed process lost nothing only if its machine went on',
    file: 'broker/log/log-directories.ts',
    find: 'return this.isComplete && lived.every(({ clean, sameBoot }) => clean || sameBoot);',
    put: 'return this.isComplete && lived.length > 0;',
    by: { test: 'broker/log/log-directories.test.ts' },
  },
  {
    name: 'copy-taken-for-a-kill',
    breaks: 'a copy of a volume that was in use lacks what was written after it',
    file: 'broker/log/log-directory.ts',
    find: 'return former.lockId === undefined || former.lockId === this.lockId;',
    put: 'return true;',
    by: { test: 'broker/log/log-directories.test.ts' },
  },
  {
    name: 'two-processes-on-a-folder',
    breaks: 'a data folder has one process at a time',
    file: 'broker/log/directory-locks.ts',
    find: 'if (lock !== null) return lock;',
    put: 'return lock as Disposable;',
    by: { test: 'broker/log/directory-locks.test.ts' },
  },
  {
    name: 'paused-process-writes-on',
    breaks: 'who was away for a moment looks whose the folder is before it writes',
    file: 'broker/log/directory-locks.ts',
    find: 'if (nowMs - this.lookedAtMs > UNSEEN_MS_MAX || this.lostTo !== null) this.look(nowMs);',
    put: '',
    by: { test: 'broker/log/directory-locks.test.ts' },
  },
  {
    name: 'seal-not-checked',
    breaks: 'a file of our own that was damaged is not believed',
    file: 'broker/log/sealed-text.ts',
    find: "return sum === sumOf(text) ? text.toString('utf8') : null;",
    put: "return sum ? text.toString('utf8') : null;",
    by: { test: 'broker/log/directory-record.test.ts' },
  },
];

const disks: readonly Mutant[] = [
  {
    name: 'disk-takes-the-broker',
    breaks: 'a disk that fails takes its own directory along, and no other',
    file: 'broker/offline-replicas.ts',
    find: 'if (left === 0) return onLast();',
    put: 'if (left >= 0) return onLast();',
    by: { seeds: 20, faults: 'disk' },
  },
  {
    name: 'neighbours-of-a-failed-disk-go-on',
    breaks: 'every replica in a directory that failed is offline',
    file: 'broker/offline-replicas.ts',
    find: 'onOffline(directory, cause);',
    put: '',
    by: { test: 'broker/offline-replicas.test.ts' },
  },
  {
    name: 'failed-disk-not-doubted',
    breaks: 'a broker whose disk may have lost something has no standing while others could lead',
    file: 'broker/offline-replicas.ts',
    find: 'directories.noteDoubts(this.losing());',
    put: '',
    by: { test: 'broker/offline-replicas.test.ts' },
  },
  {
    name: 'made-anew-beside-a-failed-disk',
    breaks: 'what lies in a directory that failed is not made anew in another one',
    file: 'broker/log/log-directories.ts',
    find: 'if (this.isFailed(directory)) return null;',
    put: '',
    by: { test: 'broker/offline-replicas.test.ts' },
  },
  {
    name: 'last-copy-withdraws',
    breaks: 'the last replica that holds what was committed stays named',
    file: ELECTION,
    find: 'if (leader === null || !isLive(brokers, leader))\n    return',
    put: 'if (leader !== null && !isLive(brokers, leader))\n    return',
    by: { test: ELECTION.replace('.ts', '.test.ts') },
  },
];

export const mutants: readonly Mutant[] = [
  ...leaders,
  ...controller,
  ...replication,
  ...logs,
  ...producers,
  ...compaction,
  ...lives,
  ...disks,
];
