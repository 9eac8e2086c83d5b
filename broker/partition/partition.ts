/**
 * One replica of one partition on this broker: its log, its role, and everybody who waits on it.
 *
 * Everything that happens in one event-loop turn is settled at its end, in this order: write to
 * the file, offer to followers, move the high watermark, answer producers, wake consumers.
 *
 * Must never know: sockets, gRPC, Kubernetes.
 */

import { type Member, type PartitionLine, sameMember } from '../../kube/partition-line.ts';
import { type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import {
  batch,
  batchesOf,
  batchFault,
  buildTransactionMarker,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import { DiskError } from '../../stdx/disk.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import { LogGone } from '../log/log-files.ts';
import type { LogRead, ReadRequest } from '../log/log-reads.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { MarkerRequest } from '../log/producer-state.ts';
import type { TransactionStart } from '../log/sequence-core.ts';
import { DamagedLog } from '../log/stored-batches.ts';
import { AckWaiters, failed, type ProduceResult } from './ack-waiters.ts';
import { type DeletionResult, DeletionWaiters } from './deletion-waiters.ts';
import { type IsrRules, LeaderCore } from './leader-core.ts';
import { judgeBatch, judgeProducer, type ProduceRules } from './produce-core.ts';
import { judgePlainRecords, type RecordRules, settleTimestamps } from './records-core.ts';
import { Verifications } from './verifications.ts';

/** Phases of a turn. */
export const TURN_WRITE = 0;
export const TURN_REPLICATE = 1;
export const TURN_SETTLE = 2;
export const TURN_READ = 3;
export const TURN_SEND = 4;
export const TURN_PHASES = 5;

export type Role =
  | { readonly kind: 'leader'; readonly core: LeaderCore }
  | { readonly kind: 'follower'; readonly leader: Member; readonly leaderEpoch: number }
  | { readonly kind: 'offline'; readonly why: ErrorName };

export interface PartitionRules extends IsrRules, ProduceRules, RecordRules {
  readonly producerExpirationMs: number;
  /** `partition:broker` of replicas that may be slowed down while they catch up. */
  readonly throttledReplicas: 'all' | ReadonlySet<string> | null;
}

export interface PartitionDeps {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Whether this process may act as the leader that its line names: others may lead by now. */
  readonly mayLead: (partition: Partition) => boolean;
  /** Whether the Kubernetes API is away: nobody can change an ISR now. */
  readonly isApiAway: () => boolean;
  /** What is stored here cannot be read as it was written: told once, until it is healed. */
  readonly onDamage: (partition: Partition, damage: DamagedLog) => void;
  /** The disk failed under this partition: it must lose leadership and be reported. */
  readonly onStorageFailure: (partition: Partition, cause: DiskError) => void;
}

export interface ProduceRequestOf {
  readonly acks: number;
  readonly timeoutMs: number;
  /** The broker's own records: whole and right as they are. */
  readonly trusted?: boolean;
  /** The batch was judged already: the largest timestamp of its records. What is packed must be. */
  readonly maxTimestamp?: number;
  /** Records of a transaction that begin it here only where its coordinator vouches for it. */
  readonly mustBeVerified?: boolean;
}

/** Somebody to be told, once, that there may be more to read. */
export interface ReadWaiter {
  onReadable(): void;
}

/** A follower's stream: told at the end of the turn that the log or the high watermark moved. */
export interface ReplicationSink {
  onLogMoved(): void;
  onHighWatermarkMoved(): void;
}

const UNKNOWN_LINE_EPOCH = -1;
const NO_ROOM = 'the disk is full';

export class Partition implements TurnTask {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly log: PartitionLog;
  private readonly deps: PartitionDeps;
  rules: PartitionRules;
  role: Role = { kind: 'offline', why: 'LEADER_NOT_AVAILABLE' };
  line: PartitionLine | null = null;
  /** As known by this replica: a leader decides it, a follower is told. */
  private followerHw: number;
  /** What the leader said last; both may be ahead of what this replica has. */
  private leaderHw = 0;
  private leaderLogStart = 0;
  private readonly ackWaiters = new AckWaiters();
  private readonly deletionWaiters = new DeletionWaiters();
  private readWaiters = new Set<ReadWaiter>();
  readonly sinks = new Set<ReplicationSink>();
  readonly verifications: Verifications;
  /** Its disk takes nothing more: what is there is read, and nobody is followed. */
  isFull = false;
  /** What is damaged here; null: nothing that is known. */
  damage: DamagedLog | null = null;
  /** No other replica holds what is damaged here: nothing of it is given up. */
  isLastCopy = false;
  scheduled = false;
  /**
   * The newest leadership here. Who led before in the very same epoch goes on with what it knew:
   * a proposed member of the ISR that nobody decided about still holds the high watermark back.
   */
  private led: LeaderCore | null = null;
  private readonly settle: TurnTask = { scheduled: false, runInTurn: () => this.settleTurn() };

  constructor(
    deps: PartitionDeps,
    id: { topic: string; topicId: string; partition: number },
    log: PartitionLog,
    highWatermark: number,
    rules: PartitionRules,
  ) {
    this.deps = deps;
    this.topic = id.topic;
    this.topicId = id.topicId;
    this.partition = id.partition;
    this.log = log;
    this.verifications = new Verifications((id, epoch) => log.producers.isOpen(id, epoch));
    this.rules = rules;
    this.followerHw = Math.max(Math.min(highWatermark, log.endOffset), log.startOffset);
  }

  get highWatermark(): number {
    return this.role.kind === 'leader' ? this.role.core.highWatermark : this.followerHw;
  }
  get leaderEpoch(): number {
    return this.line?.leaderEpoch ?? UNKNOWN_LINE_EPOCH;
  }
  get isLeader(): boolean {
    return this.role.kind === 'leader';
  }
  get leaderCore(): LeaderCore | null {
    return this.role.kind === 'leader' ? this.role.core : null;
  }
  /** The leadership of the present epoch, also while this broker must not act on it. */
  private get ledNow(): LeaderCore | null {
    return this.led !== null && this.led.line.leaderEpoch === this.leaderEpoch ? this.led : null;
  }
  /** Readers of committed records see nothing beyond: where the first undecided transaction begins. */
  get lastStableOffset(): number {
    const { highWatermark } = this;
    const unstable = this.log.producers.firstUnstableOffset(highWatermark);
    return Math.min(highWatermark, Math.max(unstable, this.log.startOffset));
  }

  /**
   * Goes on as what the replica was before its log was opened anew, in the same life: who leads on in the
   * same epoch knows what was proposed and who holds what.
   */
  succeed(former: Partition): void {
    this.led = former.led;
    this.isFull = former.isFull;
    this.followerHw = Math.max(
      this.log.startOffset,
      Math.min(former.highWatermark, this.log.endOffset),
    );
  }

  /** Takes the role that a page gives to this broker process. Older lines change nothing. */
  applyLine(line: PartitionLine, self: Member): void {
    const before = this.line;
    if (before !== null && line.partitionEpoch < before.partitionEpoch) return;
    this.line = line;
    this.selfId = self.id;
    if (this.log.failure !== null) return this.goOffline('KAFKA_STORAGE_ERROR');
    if (line.leader === null) return this.goOffline('LEADER_NOT_AVAILABLE');
    if (sameMember(line.leader, self)) return this.lead(line, self);
    if (line.leader.id === self.id) return this.goOffline('LEADER_NOT_AVAILABLE');
    const { role } = this;
    const same =
      role.kind === 'follower' &&
      role.leaderEpoch === line.leaderEpoch &&
      sameMember(role.leader, line.leader);
    if (same) return;
    this.leaveLeadership();
    this.role = { kind: 'follower', leader: line.leader, leaderEpoch: line.leaderEpoch };
    this.leaderHw = 0;
    this.leaderLogStart = 0;
    this.wakeReaders();
  }

  private lead(line: PartitionLine, self: Member): void {
    if (!this.deps.mayLead(this)) return this.goOffline('NOT_LEADER_OR_FOLLOWER');
    const nowMs = this.deps.clock.monotonicMs();
    if (this.led !== null && this.led.line.leaderEpoch === line.leaderEpoch) {
      this.led.onLine(line, nowMs);
      this.role = { kind: 'leader', core: this.led };
    } else {
      this.flushPending();
      if (this.log.failure !== null) return;
      const from = { endOffset: this.log.endOffset, highWatermark: this.highWatermark, nowMs };
      // Who leads on in a newer epoch still has what producers wait for, and can still commit it.
      this.leaveLeadership({ staysLeader: true });
      this.verifications.clear();
      this.led = new LeaderCore(line, self, from);
      this.led.onDeleted(this.log.startOffset);
      this.role = { kind: 'leader', core: this.led };
    }
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  /** Nobody is served here until a newer line says otherwise. */
  goOffline(why: ErrorName): void {
    this.leaveLeadership();
    this.role = { kind: 'offline', why };
    this.wakeReaders();
  }

  /** A replica that knows a newer epoch refused this one: stop at once, the new line is on its way. */
  stepDown(newerEpoch: number): void {
    if (this.role.kind === 'leader' && newerEpoch > this.leaderEpoch)
      this.goOffline('NOT_LEADER_OR_FOLLOWER');
  }

  private leaveLeadership({ staysLeader } = { staysLeader: false }): void {
    if (this.role.kind !== 'leader') return;
    this.followerHw = this.role.core.highWatermark;
    if (!staysLeader) {
      this.ackWaiters.fail('NOT_LEADER_OR_FOLLOWER');
      this.deletionWaiters.fail('NOT_LEADER_OR_FOLLOWER');
    }
    for (const sink of this.sinks) sink.onLogMoved();
  }

  /**
   * Appends what a producer sent. `done` is called once, later in this turn or when the replicas
   * have it; for acks=0 it is called as well, and nobody is told.
   */
  produce(records: Buffer, request: ProduceRequestOf, done: (result: ProduceResult) => void): void {
    const { role } = this;
    if (role.kind !== 'leader') {
      return done(failed(role.kind === 'offline' ? role.why : 'NOT_LEADER_OR_FOLLOWER'));
    }
    if (this.isFull) return done(failed('KAFKA_STORAGE_ERROR', NO_ROOM));
    const { core } = role;
    if (request.acks === -1 && core.line.isr.length < core.effectiveMinIsr(this.rules)) {
      return done(failed('NOT_ENOUGH_REPLICAS', 'the ISR must have min.insync.replicas members'));
    }
    if (request.acks === -1 && this.deps.isApiAway() && core.missesFollower) {
      const message =
        'a replica in the ISR is away, and the ISR cannot change while the Kubernetes API is away';
      return done(failed('NOT_ENOUGH_REPLICAS', message));
    }
    const nowMs = this.deps.clock.nowMs();
    let start: TransactionStart | null = null;
    if (request.mustBeVerified === true) {
      const [id, epoch] = [batch.producerId(records), batch.producerEpoch(records)];
      start = this.verifications.provenStart(id, epoch);
      if (start === null && !this.log.producers.isOpen(id, epoch))
        return done(failed('INVALID_TXN_STATE', 'the transaction ended meanwhile'));
    }
    const { maxTimestamp, trusted = false } = request;
    const mustJudge = maxTimestamp === undefined;
    const refusal =
      (mustJudge ? judgeBatch(records, this.rules, trusted) : null) ??
      (mustJudge && !trusted ? judgePlainRecords(records, this.rules, nowMs) : null);
    if (refusal !== null) {
      const faults = 'faults' in refusal ? refusal.faults : [];
      return done({ ...failed(refusal.error, refusal.message), faults });
    }
    const verdict = judgeProducer(records, this.log.producers, start);
    if (verdict.kind === 'refuse') return done(failed(verdict.error, verdict.message));
    if (verdict.kind === 'duplicate') {
      const { baseOffset, lastOffset } = verdict.of;
      return this.await({ lastOffset, baseOffset, logAppendTimeMs: -1, request, done });
    }
    if (!mustJudge || trusted)
      settleTimestamps(records, this.rules, maxTimestamp ?? batch.maxTimestamp(records), nowMs);
    const logAppendTimeMs = this.rules.logAppendTime ? nowMs : -1;
    const baseOffset = this.log.endOffset;
    this.log.append(records, { leaderEpoch: core.line.leaderEpoch });
    if ((batch.attributes(records) & TRANSACTIONAL_BIT) !== 0)
      this.verifications.forget(batch.producerId(records));
    this.deps.turn.weigh(records.length);
    this.await({ lastOffset: this.log.endOffset - 1, baseOffset, logAppendTimeMs, request, done });
    this.deps.turn.schedule(TURN_WRITE, this);
  }

  /**
   * Ends a transaction of a producer in this partition with a marker that the coordinator orders.
   * A repeat of what was done already succeeds.
   */
  endTransaction(
    marker: MarkerRequest,
    timeoutMs: number,
    done: (result: ProduceResult) => void,
  ): void {
    const { role } = this;
    if (role.kind !== 'leader') {
      return done(failed(role.kind === 'offline' ? role.why : 'NOT_LEADER_OR_FOLLOWER'));
    }
    if (this.isFull) return done(failed('KAFKA_STORAGE_ERROR', NO_ROOM));
    const request = { acks: -1, timeoutMs };
    const verdict = this.log.producers.judgeMarker(marker);
    if (verdict === 'duplicate') {
      const lastOffset = this.log.endOffset - 1;
      return this.await({ lastOffset, baseOffset: -1, logAppendTimeMs: -1, request, done });
    }
    if (verdict !== 'append') return done(failed(verdict, 'the marker is of an older epoch'));
    const timestampMs = this.deps.clock.nowMs();
    this.log.append(buildTransactionMarker(marker, { ...marker, timestampMs }), {
      leaderEpoch: role.core.line.leaderEpoch,
    });
    this.verifications.forget(marker.producerId);
    const lastOffset = this.log.endOffset - 1;
    this.await({ lastOffset, baseOffset: lastOffset, logAppendTimeMs: -1, request, done });
    this.deps.turn.schedule(TURN_WRITE, this);
  }

  private await(of: {
    lastOffset: number;
    baseOffset: number;
    logAppendTimeMs: number;
    request: { acks: number; timeoutMs: number };
    done: (result: ProduceResult) => void;
  }): void {
    const { lastOffset, baseOffset, logAppendTimeMs, request, done } = of;
    this.ackWaiters.add({
      lastOffset,
      acksAll: request.acks === -1,
      deadlineMs: this.deps.clock.monotonicMs() + request.timeoutMs,
      result: { error: 'NONE', baseOffset, logAppendTimeMs },
      done,
    });
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  /**
   * Takes batches from the leader, whole and in order.
   * @returns why they were not taken, or null.
   */
  appendFromLeader(records: Buffer, leaderEpoch: number): string | null {
    if (this.role.kind !== 'follower' || this.role.leaderEpoch !== leaderEpoch)
      return 'not following that epoch';
    let taken = 0;
    for (const { at, end } of batchesOf(records)) {
      const fault = batchFault(records, at, end) ?? foreignFault(records, at, leaderEpoch);
      if (fault !== null) {
        this.deps.turn.schedule(TURN_WRITE, this);
        return `a batch from the leader is damaged (${fault})`;
      }
      taken = end;
      if (batch.lastOffset(records, at) < this.log.endOffset) continue; // A resent batch.
      const bytes = records.subarray(at, end);
      if (batch.baseOffset(records, at) >= this.log.endOffset) this.log.append(bytes, null);
      else if (!this.beginWith(bytes)) return 'a batch begins before the end of the log';
      if (this.log.failure !== null) return 'the disk failed';
    }
    if (taken < records.length) return 'a batch from the leader is damaged (length)';
    this.deps.turn.weigh(records.length);
    this.deps.turn.schedule(TURN_WRITE, this);
    return null;
  }

  /**
   * The leader's log may start in the middle of a batch (DeleteRecords): a replica that is made there begins
   * with the whole of that batch, and its log starts where the leader's does.
   * @returns false where the log has records: it does not lack the beginning of a batch.
   */
  private beginWith(bytes: Buffer): boolean {
    const { log } = this;
    const { startOffset } = log;
    if (log.endOffset !== startOffset) return false;
    this.restartAt(batch.baseOffset(bytes));
    if (log.failure !== null) return true;
    log.append(bytes, null);
    this.flushPending();
    this.onDisk(() => log.advanceStartOffset(startOffset));
    this.followerHw = Math.min(startOffset, log.endOffset);
    return true;
  }

  /** What the leader says is committed and still there. */
  followLeader(highWatermark: number, logStartOffset: number): void {
    if (this.role.kind !== 'follower') return;
    this.leaderHw = highWatermark;
    this.leaderLogStart = logStartOffset;
    this.followOffsets();
  }

  /** Nothing counts as committed here that is not in the file: a write may still fail. */
  followOffsets(): void {
    if (this.role.kind !== 'follower') return;
    const hw = Math.min(this.leaderHw, this.log.writtenOffset);
    if (hw > this.followerHw) {
      this.followerHw = hw;
      this.wakeReaders();
    }
    const { leaderLogStart } = this;
    if (leaderLogStart > this.log.startOffset && leaderLogStart <= this.followerHw)
      this.onDisk(() => this.log.advanceStartOffset(leaderLogStart));
  }

  /** Changes files outside of the turn's writes; a disk that refuses takes the replica offline. */
  private onDisk(change: () => void): void {
    if (this.log.failure !== null) return;
    try {
      change();
    } catch (cause) {
      this.onLogError(cause);
    }
  }

  /**
   * What became of work on the log. That the log ended meanwhile is nobody's fault; damage is told; a disk
   * that refuses takes the replica offline; anything else is a bug, and is thrown again.
   */
  onLogError(cause: unknown): void {
    if (cause instanceof LogGone) return;
    if (cause instanceof DamagedLog) return this.damaged(cause);
    if (!(cause instanceof DiskError)) throw cause;
    this.storageFailed(cause);
  }

  /** Something that is stored here is not what was written. That is told once; what is to be done is decided elsewhere. */
  damaged(damage: DamagedLog): void {
    if (this.damage !== null || this.log.failure !== null) return;
    this.damage = damage;
    this.deps.onDamage(this, damage);
  }

  /**
   * Whether nothing stored here counts any more: damaged, and out of the in-sync replicas. Until it was
   * given up such a replica must not follow, or it would be let in again with the damage.
   */
  get mustBeCopied(): boolean {
    const { damage, line } = this;
    if (damage === null || line === null) return false;
    return ![...line.isr, ...line.elr].some(({ id }) => id === this.selfId);
  }

  /**
   * Gives up what is damaged, and what comes after it: it is copied from the leader again. What was not
   * damaged is removed when that is done (`removeAside`).
   */
  giveUpDamage(): void {
    const { damage } = this;
    if (damage === null) return;
    this.flushPending();
    this.onDisk(() => this.aside.push(...this.log.giveUpFrom(damage)));
    this.followerHw = Math.min(this.followerHw, this.log.endOffset);
    this.leaderHw = Math.min(this.leaderHw, this.log.endOffset);
    this.healed();
  }

  /** Everything is in sync again: what was set aside is not needed any more. */
  removeAside(): void {
    const { aside } = this;
    this.aside = [];
    this.onDisk(() => this.log.removeAside(aside));
  }
  private aside: string[] = [];
  /** Of this broker, once a line was seen. */
  private selfId = -1;

  /** What was damaged is whole again, or gone. */
  healed(): void {
    this.damage = null;
    this.isLastCopy = false;
  }

  private storageFailed(cause: DiskError): void {
    this.log.failure ??= cause;
    this.goOffline('KAFKA_STORAGE_ERROR');
    this.deps.onStorageFailure(this, cause);
  }

  /** Cuts the log where it parted from the leader's. */
  truncateTo(offset: number): void {
    this.flushPending();
    this.onDisk(() => this.log.truncateTo(offset));
    this.followerHw = Math.min(this.followerHw, this.log.endOffset);
  }

  /** Begins anew at the leader's log start. */
  restartAt(offset: number): void {
    this.flushPending();
    this.onDisk(() => this.log.restartAt(offset));
    this.followerHw = offset;
  }

  /**
   * Records below the offset are gone for everybody; followers are told with the next message. Whoever
   * waits hears when a failover does not bring them back any more.
   * @throws KafkaError OFFSET_OUT_OF_RANGE beyond the high watermark: what is not committed may yet be other
   * records, and no log starts where a replica has nothing.
   */
  deleteBefore(
    offset: number,
    wait?: { readonly timeoutMs: number; readonly done: (result: DeletionResult) => void },
  ): void {
    if (offset > this.highWatermark)
      throw new KafkaError('OFFSET_OUT_OF_RANGE', 'nothing is committed there');
    if (wait !== undefined) {
      const { done, timeoutMs } = wait;
      if (!this.isLeader) return done({ error: 'NOT_LEADER_OR_FOLLOWER', lowWatermark: -1 });
      const deadlineMs = this.deps.clock.monotonicMs() + timeoutMs;
      this.deletionWaiters.add({ offset, deadlineMs, done });
      this.deps.turn.schedule(TURN_SETTLE, this.settle);
    }
    this.onDisk(() => this.log.advanceStartOffset(offset));
    this.leaderCore?.onDeleted(offset);
    for (const sink of this.sinks) sink.onHighWatermarkMoved();
  }

  onFollowerProgress(at: { id: number; brokerEpoch: number; endOffset: number }): void {
    this.ledNow?.onFollower(at, this.deps.clock.monotonicMs());
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  onFollowerLogStart(at: { id: number; brokerEpoch: number; logStartOffset: number }): void {
    this.ledNow?.onFollowerLogStart(at);
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  onFollowerGone(id: number, brokerEpoch: number): void {
    this.ledNow?.onFollowerGone(id, brokerEpoch, this.deps.clock.monotonicMs());
  }

  /** The controller will not act on the proposal: it no longer holds the high watermark back. */
  onProposalRefused(): void {
    this.ledNow?.onProposalRefused();
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  /** The write phase of a turn. */
  runInTurn(): void {
    this.flushPending();
    for (const sink of this.sinks) sink.onLogMoved();
    this.deps.turn.schedule(TURN_SETTLE, this.settle);
  }

  private flushPending(): void {
    if (!this.log.hasPending || this.log.failure !== null) return;
    const { writtenOffset } = this.log;
    try {
      this.log.writePending();
      this.ledNow?.onWritten(writtenOffset, this.deps.clock.monotonicMs(), this.rules);
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      this.ackWaiters.fail('KAFKA_STORAGE_ERROR', 'the disk refused the write');
      this.storageFailed(cause);
    }
  }

  private settleTurn(): void {
    const { role, log } = this;
    if (role.kind !== 'leader') {
      this.followOffsets();
      return;
    }
    if (role.core.advance(log.writtenOffset, this.rules)) {
      for (const sink of this.sinks) sink.onHighWatermarkMoved();
      this.wakeReaders();
    }
    const hasEnough = role.core.line.isr.length >= role.core.effectiveMinIsr(this.rules);
    this.ackWaiters.answer(log.writtenOffset, role.core.highWatermark, hasEnough);
    if (this.deletionWaiters.size > 0)
      this.deletionWaiters.answer(role.core.lowestLogStart(log.startOffset));
  }

  /** Answers those whose time is up. */
  expireWaiters(): void {
    if (this.ackWaiters.size > 0) this.ackWaiters.expire(this.deps.clock.monotonicMs());
    if (this.deletionWaiters.size > 0) this.deletionWaiters.expire(this.deps.clock.monotonicMs());
  }

  get waitingProducers(): number {
    return this.ackWaiters.size;
  }

  /**
   * Reads batches; whose limit applies is the caller's choice of `endOffset`.
   * @throws KafkaError KAFKA_STORAGE_ERROR where the disk does not give them back: the replica is
   * then offline here; LogGone where the log has ended.
   */
  read(request: ReadRequest): LogRead | Promise<LogRead> {
    try {
      const read = this.log.read(request);
      return read instanceof Promise
        ? read.catch((cause: unknown) => this.unreadable(cause))
        : read;
    } catch (cause) {
      return this.unreadable(cause);
    }
  }

  /**
   * Reads for work that goes on later: what lies in memory that is used again is copied.
   * @throws KafkaError as `read` does
   */
  async readCopy(request: ReadRequest): Promise<LogRead> {
    const read = this.read(request);
    // In this very turn: after a wait the memory may hold other records.
    if (!(read instanceof Promise) && read.slabs.length > 0)
      return { ...read, buffers: read.buffers.map((bytes) => Buffer.from(bytes)), slabs: [] };
    return read;
  }

  /**
   * What the log knows from its files beside the records.
   * @throws KafkaError as `read` does
   */
  ask<Answer>(question: (log: PartitionLog) => Answer): Answer {
    try {
      return question(this.log);
    } catch (cause) {
      return this.unreadable(cause);
    }
  }

  private unreadable(cause: unknown): never {
    this.onLogError(cause);
    if (cause instanceof LogGone) throw cause;
    if (cause instanceof DamagedLog) {
      // Kafka's consumers look for another leader on the one, and tell their users of the other.
      const error = this.isLastCopy ? 'CORRUPT_MESSAGE' : 'KAFKA_STORAGE_ERROR';
      throw new KafkaError(error, 'what is stored there is damaged');
    }
    throw new KafkaError('KAFKA_STORAGE_ERROR', 'the disk refused the read');
  }

  waitForMore(waiter: ReadWaiter): void {
    this.readWaiters.add(waiter);
  }
  stopWaiting(waiter: ReadWaiter): void {
    this.readWaiters.delete(waiter);
  }

  private wakeReaders(): void {
    if (this.readWaiters.size === 0) return;
    for (const waiter of [...this.readWaiters]) waiter.onReadable();
  }

  /** The broker stops: what was taken is written, and nobody is served here any more. */
  close(): void {
    this.flushPending();
    this.goOffline('NOT_LEADER_OR_FOLLOWER');
  }

  /**
   * The replica is given up, with whatever it holds. Whoever still works on its log meets the end of it.
   */
  abandon(): void {
    this.goOffline('UNKNOWN_TOPIC_OR_PARTITION');
    this.log.abandon();
  }
}

/** What a checksum does not cover: the fields that a leader sets. */
function foreignFault(b: Buffer, at: number, leaderEpoch: number): string | null {
  const base = batch.baseOffset(b, at);
  // Beyond 2^53 it is read as something else than a number.
  if (!Number.isSafeInteger(base) || base < 0) return 'offset';
  return batch.leaderEpoch(b, at) > leaderEpoch ? 'epoch' : null;
}
