/**
 * A leader and a follower of one partition, each with a disk of its own, and the real streams between them
 * on simulated time.
 */
import { EventEmitter } from 'node:events';
import { FileCache } from '../../broker/log/file-cache.ts';
import type { LogConfig } from '../../broker/log/log-config.ts';
import { PartitionLog } from '../../broker/log/partition-log.ts';
import { TailMemory } from '../../broker/log/tail-memory.ts';
import { Partition, type PartitionRules, TURN_PHASES } from '../../broker/partition/partition.ts';
import { Partitions } from '../../broker/partition/partitions.ts';
import { Followers } from '../../broker/replication/follower-stream.ts';
import type { Frame } from '../../broker/replication/leader-message.ts';
import { LeaderStream } from '../../broker/replication/leader-stream.ts';
import {
  decodeLeaderMessage,
  type FollowerMessage,
  type LeaderMessage,
} from '../../broker/replication/services.ts';
import { ReplicationThrottle } from '../../broker/replication/throttle.ts';
import type { Member, PartitionLine } from '../../kube/partition-line.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import type { Clock } from '../../stdx/clock.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import type { Logger } from '../../stdx/logger.ts';
import { Turn } from '../../stdx/turn.ts';
import { clockOf, Process, Scheduler } from '../sim/scheduler.ts';
import { logConfig } from './log-config.ts';

const ID = { topic: 't', topicId: 'x', partition: 0 };
const TICK_MS = 100;

export const partitionRules: PartitionRules = {
  minInsyncReplicas: 1,
  replicaLagTimeMaxMs: 1000,
  maxMessageBytes: 1e6,
  segmentBytes: 1e6,
  logAppendTime: false,
  timestampBeforeMaxMs: 1e15,
  timestampAfterMaxMs: 1e15,
  throttledReplicas: null,
  isCompacted: false,
  codec: null,
  compressionLevel: 0,
  unpackedBytesMax: 1e8,
  producerExpirationMs: 1e9,
};

const nothing = () => undefined;
const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silent,
};

/** One broker with a replica of the partition. */
export class Side {
  readonly member: Member;
  readonly clock: Clock;
  readonly turn: Turn;
  readonly tail = new TailMemory(4096);
  partition: Partition;

  constructor(member: Member, clock: Clock, config: LogConfig) {
    this.member = member;
    this.clock = clock;
    this.turn = new Turn(clock, TURN_PHASES, (cause) => {
      throw cause;
    });
    const disk = memoryDisk();
    const deps = { disk, files: new FileCache(disk, 9), tail: this.tail };
    const log = new PartitionLog(deps, '/d/t-0', config);
    log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
    this.partition = new Partition(
      {
        clock,
        turn: this.turn,
        mayLead: () => true,
        isApiAway: () => false,
        onDamage: () => {},
        onStorageFailure: (_, cause) => {
          throw cause;
        },
      },
      ID,
      log,
      0,
      partitionRules,
    );
  }

  /** The whole batches that a reader of `offset` gets first. */
  async readAt(offset: number): Promise<string> {
    const { partition } = this;
    const request = { offset, bytesMax: 1, endOffset: partition.highWatermark, atLeastOne: true };
    const { buffers } = await partition.readCopy(request);
    return Buffer.concat(buffers).toString('hex');
  }
}

/** One end of a stream, as far as the follower needs it. */
class Stream extends EventEmitter {
  readonly write: (message: FollowerMessage) => void;
  isOver = false;
  constructor(write: (message: FollowerMessage) => void) {
    super();
    this.write = write;
  }
  cancel(): void {
    this.isOver = true;
  }
}

export class ReplicaPair implements Disposable {
  readonly scheduler = new Scheduler();
  private readonly config: LogConfig;
  private readonly process = new Process('pair');
  private readonly clock: Clock;
  readonly leader: Side;
  follower: Side;
  private followers: Followers;
  private readonly partitions = new Partitions();
  private readonly streams = new Set<LeaderStream>();
  private lives = 1;

  constructor(config: Partial<LogConfig> = {}) {
    this.config = logConfig(config);
    this.clock = clockOf(this.scheduler, this.process, { rate: 1, skewMs: 0 });
    this.leader = new Side({ id: 1, epoch: 1 }, this.clock, this.config);
    this.follower = new Side({ id: 2, epoch: 1 }, this.clock, this.config);
    this.partitions.add(this.leader.partition);
    this.leader.partition.applyLine(this.line(), this.leader.member);
    this.clock.every(TICK_MS, () => {
      for (const stream of this.streams) stream.tick();
    });
    this.followers = this.follow();
  }

  private line(): PartitionLine {
    return {
      ...ID,
      leader: { id: 1, epoch: 1 },
      leaderEpoch: 0,
      partitionEpoch: 0,
      replicas: [1, 2],
      isr: [{ id: 1, epoch: 1 }],
      elr: [],
      adding: [],
      removing: [],
    };
  }

  /** The follower is lost, and another one begins with nothing. */
  replaceFollower(): void {
    this.followers[Symbol.dispose]();
    for (const stream of this.streams) stream.close();
    this.streams.clear();
    this.follower = new Side({ id: 2, epoch: ++this.lives }, this.clock, this.config);
    this.followers = this.follow();
  }

  /** The follower begins a new subscription. */
  followAgain(): void {
    this.followers.again(this.follower.partition);
  }

  private follow(): Followers {
    const { follower } = this;
    const followers = new Followers({
      clock: this.clock,
      turn: follower.turn,
      logger: silent,
      network: {
        replication: () => ({ Follow: () => this.open(follower), close: nothing }),
      } as never,
      clusterId: () => 'c',
      self: () => follower.member,
      addressOf: () => 'leader:1',
      onReceived: nothing,
      share: { overdraw: nothing, release: nothing },
    });
    follower.partition.applyLine(this.line(), follower.member);
    followers.update(follower.partition);
    return followers;
  }

  private open(follower: Side): Stream {
    const { leader } = this;
    const carry = (run: () => void) => void this.scheduler.after(0.1, this.process, run);
    const send = (frame: Frame) => {
      const bytes = Buffer.alloc(frame.byteLength);
      frame.copy(bytes, 0);
      const message: LeaderMessage = decodeLeaderMessage(bytes);
      carry(() => {
        if (!near.isOver) near.emit('data', message);
      });
    };
    const far = new LeaderStream(
      {
        turn: leader.turn,
        logger: silent,
        partitions: this.partitions,
        memory: leader.tail,
        send,
        onSent: nothing,
        share: { overdraw: nothing, release: nothing },
        throttle: new ReplicationThrottle(this.clock, () => Infinity),
        standing: { question: () => 0, onConfirmed: nothing, onUnfollowed: nothing },
      },
      { ...follower.member },
    );
    this.streams.add(far);
    const near = new Stream((message) =>
      carry(() => this.streams.has(far) && far.onMessage(message)),
    );
    return near;
  }

  produce(recordCount: number): void {
    const values = Array.from({ length: recordCount }, (_, i) => ({
      key: null,
      value: Buffer.from(`value ${i}`),
    }));
    const bytes = buildBatch(values, { timestampMs: 1 });
    this.leader.partition.produce(bytes, { acks: 1, timeoutMs: 1000 }, nothing);
  }

  async settle(ms = 500): Promise<void> {
    await this.scheduler.runUntil(this.scheduler.nowMs + ms);
  }

  [Symbol.dispose](): void {
    this.process.kill();
  }
}
