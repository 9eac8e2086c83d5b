/**
 * The follower's end: one stream to each broker that leads something this broker follows.
 *
 * Records are appended as they come, written with everything else of the turn, and acknowledged
 * once written. Where the logs part, the follower cuts its own by epoch and asks again.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Member, sameMember } from '../../kube/partition-line.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import type { MemoryShare } from '../memory/memory-budget-core.ts';
import { type Partition, TURN_SETTLE } from '../partition/partition.ts';
import { cutTarget } from './divergence-core.ts';
import { CREDIT_BYTES } from './leader-stream.ts';
import { faultIn, leaderMessage } from './peer-messages.ts';
import type { PeerNetwork } from './peer-network.ts';
import type { Data, FollowerMessage, LeaderMessage, Refusal, ReplicationPeer } from './services.ts';

const RETRY_MS = 100;
/** A leader whose bytes are damaged gives up leading; until then there is no use in asking often. */
const REFUSED_RETRY_MS_MAX = 5_000;
/** A stream that nothing is followed on any more is kept for so long. */
const LINGER_MS = 1_000;
/** Whoever subscribes hears the high watermark or a refusal within a tick of the leader. */
const OPEN_TIMEOUT_MS = 3_000;

export interface FollowerDeps {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly network: PeerNetwork;
  readonly clusterId: () => string;
  readonly self: () => Member;
  /** The replication address of a broker, or null while it is unknown. */
  readonly addressOf: (brokerId: number) => string | null;
  readonly onReceived: (byteCount: number) => void;
  /** Where what a leader may send before it is taken is charged. */
  readonly share: Pick<MemoryShare, 'overdraw' | 'release'>;
}

interface Followed {
  readonly handle: number;
  readonly partition: Partition;
  leaderEpoch: number;
  /** What the leader asked for when it refused. */
  question: number;
  received: boolean;
  /** Where the leader knows this log to start, and whether its own was said to start later. */
  saidLogStart: number;
  mustStartLater: boolean;
  /** How often in a row what came was damaged. */
  refusals: number;
}

class LeaderConnection implements TurnTask {
  scheduled = false;
  private readonly deps: FollowerDeps;
  readonly leader: Member;
  private readonly followed = new Map<number, Followed>();
  private readonly byPartition = new Map<Partition, Followed>();
  /** Those that got records in this turn. */
  private receivers: Followed[] = [];
  private nextHandle = 1;
  private client: ReplicationPeer | null = null;
  private stream: ClientDuplexStream<FollowerMessage, LeaderMessage> | null = null;
  private outgoing: FollowerMessage = {};
  private readonly toSubscribe = new Set<Followed>();
  private retry: Disposable | null = null;
  private closed = false;

  constructor(deps: FollowerDeps, leader: Member) {
    this.deps = deps;
    this.leader = leader;
  }

  get isIdle(): boolean {
    return this.followed.size === 0;
  }

  follow(partition: Partition): void {
    const known = this.byPartition.get(partition);
    if (known?.leaderEpoch === partition.leaderEpoch) return;
    if (known !== undefined) this.unfollow(partition);
    const handle = this.nextHandle++;
    const entry = {
      handle,
      partition,
      leaderEpoch: partition.leaderEpoch,
      question: 0,
      received: false,
      saidLogStart: 0,
      mustStartLater: false,
      refusals: 0,
    };
    this.followed.set(handle, entry);
    this.byPartition.set(partition, entry);
    if (this.stream === null) this.open();
    else this.subscribe(entry);
  }

  unfollow(partition: Partition): void {
    const known = this.byPartition.get(partition);
    if (known === undefined) return;
    this.byPartition.delete(partition);
    this.followed.delete(known.handle);
    if (this.stream === null) return;
    const { handle } = known;
    const { leaderEpoch } = partition;
    if (leaderEpoch > known.leaderEpoch)
      this.outgoing.moved = [...(this.outgoing.moved ?? []), { handle, leaderEpoch }];
    else this.outgoing.unsubscribe = [...(this.outgoing.unsubscribe ?? []), handle];
    this.deps.turn.schedule(TURN_SETTLE, this);
  }

  private open(): void {
    if (this.closed || this.stream !== null || this.retry !== null) return;
    const address = this.deps.addressOf(this.leader.id);
    if (address === null) return this.tryLater();
    this.client ??= this.deps.network.replication(address, this.leader.id);
    const stream = this.client.Follow();
    this.stream = stream;
    this.charge();
    // A connection that is being made over a link that was cut may hang for long after it is healed.
    const answered = this.deps.clock.after(OPEN_TIMEOUT_MS, () => lost('no answer'));
    stream.on('data', (message: LeaderMessage) => {
      answered[Symbol.dispose]();
      if (this.stream !== stream) return;
      const fault = faultIn(leaderMessage, message);
      if (fault === null) this.onMessage(message);
      else lost(fault);
    });
    const lost = (cause?: unknown) => {
      answered[Symbol.dispose]();
      if (this.stream !== stream) return;
      this.stream = null;
      this.release();
      this.outgoing = {};
      this.toSubscribe.clear();
      stream.cancel();
      if (this.closed) return;
      this.deps.logger.debug('replication stream lost', { leader: this.leader.id, cause });
      this.client?.close();
      this.client = null;
      this.tryLater();
    };
    stream.on('error', lost);
    stream.on('end', () => lost());
    stream.write({
      hello: {
        clusterId: this.deps.clusterId(),
        follower: { ...this.deps.self() },
        leader: { ...this.leader },
      },
    });
    for (const entry of this.followed.values()) this.subscribe(entry);
  }

  private tryLater(): void {
    if (this.closed || this.retry !== null) return;
    this.retry = this.deps.clock.after(RETRY_MS, () => {
      this.retry = null;
      if (this.followed.size > 0) this.open();
    });
  }

  private subscribe(entry: Followed): void {
    const { partition } = entry;
    if (partition.role.kind !== 'follower' || partition.log.failure !== null) return;
    if (partition.mustBeCopied) return;
    const { missingFrom } = partition.log;
    if (missingFrom !== null) {
      this.deps.logger.warn('the beginning of a log did not survive: it is copied anew', {
        topic: partition.topic,
        partition: partition.partition,
        from: missingFrom,
      });
      partition.restartAt(missingFrom);
    }
    this.toSubscribe.add(entry);
    this.deps.turn.schedule(TURN_SETTLE, this);
  }

  /** Says where the log ends. That is an acknowledgement as well, so it is said after the turn's writes. */
  private subscription(entry: Followed) {
    const { partition } = entry;
    const { failure, latestEpoch, startOffset, writtenOffset } = partition.log;
    const isStill =
      !partition.mustBeCopied &&
      this.followed.get(entry.handle) === entry &&
      partition.role.kind === 'follower' &&
      partition.leaderEpoch === entry.leaderEpoch;
    if (!isStill || failure !== null) return [];
    entry.saidLogStart = startOffset;
    return [
      {
        handle: entry.handle,
        topicId: partition.topicId,
        partition: partition.partition,
        leaderEpoch: entry.leaderEpoch,
        logEndOffset: writtenOffset,
        lastEpoch: latestEpoch,
        refused: entry.refusals > 0,
        answer: entry.question,
        logStartOffset: startOffset,
      },
    ];
  }

  private onMessage({ data, refusal }: LeaderMessage): void {
    for (const entry of refusal ?? []) this.onRefusal(entry);
    let taken = 0;
    for (const entry of data ?? []) {
      taken += entry.records.length;
      this.onData(entry);
    }
    this.deps.onReceived(taken);
    this.outgoing.takenBytes = (this.outgoing.takenBytes ?? 0) + taken;
    this.deps.turn.schedule(TURN_SETTLE, this);
    this.deps.turn.endIfHeavy();
  }

  private onData({ handle, leaderEpoch, highWatermark, logStartOffset, records }: Data): void {
    const entry = this.followed.get(handle);
    if (entry === undefined || entry.leaderEpoch !== leaderEpoch) return;
    const { partition } = entry;
    if (partition.log.failure !== null) return this.unfollow(partition);
    if (records.length > 0) {
      const fault = partition.appendFromLeader(records, leaderEpoch);
      if (fault !== null) {
        this.deps.logger.warn('records from the leader were refused', {
          topic: partition.topic,
          partition: partition.partition,
          fault,
        });
        entry.refusals++;
        this.again(entry, Math.min(RETRY_MS * 2 ** entry.refusals, REFUSED_RETRY_MS_MAX));
        return;
      }
      entry.refusals = 0;
    }
    partition.followLeader(highWatermark, logStartOffset);
    if (logStartOffset > entry.saidLogStart) entry.mustStartLater = true;
    else if (records.length === 0) return;
    if (!entry.received) this.receivers.push(entry);
    entry.received = true;
  }

  private again(entry: Followed, delayMs = RETRY_MS): void {
    this.deps.clock.after(delayMs, () => {
      if (this.followed.get(entry.handle) === entry && this.stream !== null) this.subscribe(entry);
    });
  }

  private onRefusal({ handle, diverging, logStartOffset, question, why }: Refusal): void {
    const entry = this.followed.get(handle);
    if (entry === undefined || entry.partition.role.kind !== 'follower') return;
    const { partition, leaderEpoch } = entry;
    if (partition.leaderEpoch !== leaderEpoch) return;
    if (why === 'diverging' && diverging != null) {
      this.cut(partition, diverging);
      // What is damaged cannot be cut; it is given up when this replica does not count any more.
      if (partition.damage === null) this.subscribe(entry);
    } else if (why === 'logStartOffset') {
      this.deps.logger.warn('replica begins anew at the leader log start', {
        topic: partition.topic,
        partition: partition.partition,
        logStartOffset,
      });
      partition.restartAt(logStartOffset as number);
      this.subscribe(entry);
    } else {
      entry.question = question ?? 0;
      this.again(entry);
    }
  }

  /** Cuts to the end of the last epoch that both logs have. Source: KIP-279. */
  private cut(partition: Partition, theirs: { epoch: number; endOffset: number }): void {
    const { log } = partition;
    const target = cutTarget(log, theirs);
    this.deps.logger.info('replica cut to its leader', {
      topic: partition.topic,
      partition: partition.partition,
      from: log.endOffset,
      to: target,
    });
    partition.truncateTo(target);
  }

  /** After the turn's writes: acknowledge what is in the files now. */
  runInTurn(): void {
    if (this.stream === null) return;
    const ack = [];
    const { receivers } = this;
    this.receivers = [];
    for (const entry of receivers) {
      entry.received = false;
      const { mustStartLater, partition } = entry;
      entry.mustStartLater = false;
      if (this.followed.get(entry.handle) !== entry) continue;
      // The log starts later once the records until there are in the file.
      if (mustStartLater) partition.followOffsets();
      const { writtenOffset, failure, startOffset } = partition.log;
      if (failure !== null || partition.leaderEpoch !== entry.leaderEpoch) continue;
      const { handle, leaderEpoch } = entry;
      if (mustStartLater && startOffset > entry.saidLogStart) {
        entry.saidLogStart = startOffset;
        ack.push({
          handle,
          leaderEpoch,
          logEndOffset: writtenOffset,
          logStartOffset: startOffset,
        });
      } else ack.push({ handle, leaderEpoch, logEndOffset: writtenOffset });
    }
    const message = this.outgoing;
    this.outgoing = {};
    const subscribe = [...this.toSubscribe].flatMap((entry) => this.subscription(entry));
    this.toSubscribe.clear();
    if (subscribe.length > 0) message.subscribe = subscribe;
    if (ack.length > 0) message.ack = ack;
    const { ack: acked, moved, takenBytes, unsubscribe } = message;
    if (acked ?? message.subscribe ?? unsubscribe ?? moved ?? takenBytes)
      this.stream.write(message);
  }

  private charge(): void {
    this.isCharged = true;
    this.deps.share.overdraw(CREDIT_BYTES);
  }
  private release(): void {
    if (this.isCharged) this.deps.share.release(CREDIT_BYTES);
    this.isCharged = false;
  }
  private isCharged = false;

  close(): void {
    this.closed = true;
    this.release();
    this.retry?.[Symbol.dispose]();
    this.stream?.cancel();
    this.stream = null;
    this.client?.close();
  }
}

/** Keeps a connection to every process that leads something this broker follows. */
export class Followers implements Disposable {
  private readonly deps: FollowerDeps;
  private readonly connections = new Map<number, LeaderConnection>();
  private readonly where = new Map<Partition, LeaderConnection>();

  constructor(deps: FollowerDeps) {
    this.deps = deps;
  }

  /** Brings the streams in line with the partition's role. */
  update(partition: Partition): void {
    const { role } = partition;
    const before = this.where.get(partition);
    if (role.kind !== 'follower' || partition.isFull) {
      if (before !== undefined) this.leave(partition, before);
      return;
    }
    let connection = this.connections.get(role.leader.id);
    if (connection !== undefined && !sameMember(connection.leader, role.leader)) {
      // Another life of the same broker: what was said to the old one does not hold.
      if (connection.leader.epoch > role.leader.epoch) return;
      connection.close();
      this.connections.delete(role.leader.id);
      connection = undefined;
    }
    if (connection === undefined) {
      connection = new LeaderConnection(this.deps, role.leader);
      this.connections.set(role.leader.id, connection);
    }
    if (before !== undefined && before !== connection) before.unfollow(partition);
    this.where.set(partition, connection);
    connection.follow(partition);
  }

  /** A replica that gave up what it had follows from where its log ends now. */
  again(partition: Partition): void {
    this.forget(partition);
    this.update(partition);
  }

  forget(partition: Partition): void {
    const connection = this.where.get(partition);
    if (connection !== undefined) this.leave(partition, connection);
  }

  private leave(partition: Partition, connection: LeaderConnection): void {
    this.where.delete(partition);
    connection.unfollow(partition);
    if (!connection.isIdle) return;
    // Not before the leader has heard that it is not followed any more, and why.
    this.deps.clock.after(LINGER_MS, () => {
      const { id } = connection.leader;
      if (!connection.isIdle || this.connections.get(id) !== connection) return;
      this.connections.delete(id);
      connection.close();
    });
  }

  [Symbol.dispose](): void {
    for (const connection of this.connections.values()) connection.close();
  }
}
