/** What a broker serves to its peers: followers' streams and the control calls. */
import * as grpc from '@grpc/grpc-js';
import type { Member } from '../../kube/partition-line.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Turn } from '../../stdx/turn.ts';
import type { TailMemory } from '../log/tail-memory.ts';
import type { Partitions } from '../partition/partitions.ts';
import type { Frame } from './leader-message.ts';
import { type LeaderStanding, LeaderStream, type LeaderStreamDeps } from './leader-stream.ts';
import { type Done, unary } from './peer-channels.ts';
import { claimOf, faultIn, requests } from './peer-messages.ts';
import type { PeerNetwork, PeerService } from './peer-network.ts';
import {
  type AllocateProducerIdsResponse,
  type AlterPartitionRequest,
  type AlterPartitionResponse,
  type ChangePartitionsResponse,
  controlService,
  type FollowerMessage,
  type Hello,
  type LeaderMessage,
  type LeaveResponse,
  type ProtoMember,
  type ReplicasReportMessage,
  replicationService,
  type WishMessage,
} from './services.ts';
import { type ShareStateHandlers, shareStateOf } from './share-peers.ts';
import type { ReplicationThrottle } from './throttle.ts';
import { type TransactionHandlers, transactionsOf } from './transaction-peers.ts';

const TICK_MS = 100;

type Refused = Pick<grpc.StatusObject, 'code' | 'details'>;

interface ServedCall {
  readonly request: unknown;
  emit(event: 'error', cause: Refused): void;
}

const invalid = (fault: string): Refused => ({
  code: grpc.status.INVALID_ARGUMENT,
  details: fault,
});

/** What this broker answers when it is the controller; `accepted: false` when it is not. */
export interface ControlHandlers {
  readonly alterPartition: (request: AlterPartitionRequest) => Promise<AlterPartitionResponse>;
  readonly leave: (broker: ProtoMember) => Promise<LeaveResponse>;
  readonly allocateProducerIds: () => Promise<AllocateProducerIdsResponse>;
  readonly changePartitions: (wishes: readonly WishMessage[]) => Promise<ChangePartitionsResponse>;
}

/** What any broker answers to a controller. */
export type ReportReplicas = (of: { readonly full: boolean }) => ReplicasReportMessage;

export interface PeerServerDeps {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly network: PeerNetwork;
  readonly partitions: Partitions;
  /** Keeps records where they lie until they are on their way. */
  readonly memory: Pick<TailMemory, 'hold' | 'release'>;
  readonly share: LeaderStreamDeps['share'];
  readonly self: () => Member;
  readonly clusterId: () => string;
  readonly control: ControlHandlers;
  readonly reportReplicas: ReportReplicas;
  readonly transactions: TransactionHandlers;
  /** Whether a broker leads any of what transactions are kept in. */
  readonly coordinatesTransactions: (id: number) => boolean;
  readonly throttle: ReplicationThrottle;
  readonly shareState: ShareStateHandlers;
  readonly onSent: (byteCount: number) => void;
  readonly standing: LeaderStanding;
  /** Runs before a call or a message is looked at: what was known may be too old to act on. */
  readonly look: () => void;
}

export class PeerServer implements AsyncDisposable {
  private readonly deps: PeerServerDeps;
  private serving: AsyncDisposable | null = null;
  private readonly streams = new Set<LeaderStream>();
  /** Runs while there are streams. */
  private timer: Disposable | null = null;

  constructor(deps: PeerServerDeps) {
    this.deps = deps;
  }

  private tickWhileFollowed(): void {
    if (this.streams.size > 0)
      this.timer ??= this.deps.clock.every(TICK_MS, () => {
        for (const stream of this.streams) stream.tick();
      });
    else {
      this.timer?.[Symbol.dispose]();
      this.timer = null;
    }
  }

  /** Whether any follower's stream stands. */
  get hasFollowers(): boolean {
    return this.streams.size > 0;
  }

  /** @throws Error where the address cannot be had */
  async listen(host: string, port: number): Promise<void> {
    const services = this.services().map((service) => this.looking(service));
    this.serving = await this.deps.network.serve(services, { host, port });
  }

  /** The way in of every call: nothing behind it meets a message that cannot be looked at. */
  private looking({ definition, implementation }: PeerService): PeerService {
    const { look } = this.deps;
    const methods = Object.entries(implementation).map(([name, handle]) => {
      const rule = requests[name as keyof typeof requests];
      const isUnary = definition[name]?.requestStream === false;
      const serve = (call: ServedCall, done: Done<never>) => {
        look();
        // Messages of a stream are looked at one by one.
        const request = isUnary ? call.request : null;
        const fault = isUnary ? faultIn(rule, request) : null;
        const refused = fault === null ? this.notFrom(name, call, request) : invalid(fault);
        if (refused === null) (handle as (...args: unknown[]) => void)(call, done);
        else if (isUnary) done(refused);
        else call.emit('error', refused);
      };
      return [name, serve];
    });
    return { definition, implementation: Object.fromEntries(methods) };
  }

  /** Why a call is not answered to who made it; null: it is. */
  private notFrom(method: string, call: unknown, request: unknown): Refused | null {
    const caller = this.deps.network.callerOf(call);
    if (caller === 'anybody') return null;
    const claim = claimOf(method, request);
    const isSo = caller !== 'stranger' && (claim === null || claim === caller);
    // Markers end transactions: only who coordinates some may write them.
    if (isSo && (method !== 'WriteMarkers' || this.deps.coordinatesTransactions(caller)))
      return null;
    this.deps.logger.warn('a peer was refused', { method, caller, claim });
    return {
      code: grpc.status.PERMISSION_DENIED,
      details: `${caller} must not call ${method}${claim === null ? '' : ` as broker ${claim}`}`,
    };
  }

  private services(): PeerService[] {
    const { control, reportReplicas, shareState, transactions } = this.deps;
    return [
      {
        definition: replicationService,
        implementation: {
          Follow: (call: grpc.ServerDuplexStream<FollowerMessage, LeaderMessage>) =>
            this.follow(call),
        },
      },
      {
        definition: controlService,
        implementation: {
          AlterPartition: unary(control.alterPartition),
          Leave: unary(({ broker }: { broker: ProtoMember }) => control.leave(broker)),
          AllocateProducerIds: unary(() => control.allocateProducerIds()),
          ChangePartitions: unary(({ wishes }: { wishes: WishMessage[] }) =>
            control.changePartitions(wishes),
          ),
          ReportReplicas: unary(async (of: { full: boolean }) => reportReplicas(of)),
          Presence: (call: grpc.ServerDuplexStream<object, object>) => {
            call.on('data', () => call.write({}));
            call.on('end', () => call.end());
            call.on('error', () => {});
          },
        },
      },
      transactionsOf(transactions),
      shareStateOf(shareState),
    ];
  }

  private follow(call: grpc.ServerDuplexStream<FollowerMessage, LeaderMessage>): void {
    let stream: LeaderStream | null = null;
    let isRefused = false;
    call.on('data', (message: FollowerMessage) => {
      if (isRefused) return;
      this.deps.look();
      const fault = faultIn(requests.Follow, message);
      const why =
        fault === null ? (stream === null ? this.notHeard(call, message) : null) : invalid(fault);
      if (why !== null) {
        isRefused = true;
        call.emit('error', why);
        return;
      }
      stream ??= this.greet(call, message);
      stream.onMessage(message);
    });
    const over = () => {
      if (stream === null) return;
      this.streams.delete(stream);
      this.tickWhileFollowed();
      stream.close();
    };
    call.on('end', () => {
      over();
      call.end();
    });
    call.on('cancelled', over);
    call.on('error', over);
  }

  /** The first message says who asks and which life of this broker it means; why it is not heard. */
  private notHeard(call: unknown, message: FollowerMessage): Refused | null {
    const { hello } = message;
    const self = this.deps.self();
    const isMeant =
      hello != null &&
      hello.leader.id === self.id &&
      hello.leader.epoch === self.epoch &&
      hello.clusterId === this.deps.clusterId();
    if (isMeant) return this.notFrom('Follow', call, message);
    return {
      code: grpc.status.FAILED_PRECONDITION,
      details: 'the stream is meant for another process',
    };
  }

  private greet(
    call: grpc.ServerDuplexStream<FollowerMessage, LeaderMessage>,
    { hello }: FollowerMessage,
  ): LeaderStream {
    const { turn, logger, partitions, onSent, throttle, memory, share, standing } = this.deps;
    const send = (frame: Frame) => void call.write(frame as never);
    const stream = new LeaderStream(
      { turn, logger, partitions, memory, share, send, onSent, throttle, standing },
      (hello as Hello).follower,
    );
    this.streams.add(stream);
    this.tickWhileFollowed();
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.timer?.[Symbol.dispose]();
    for (const stream of this.streams) stream.close();
    await this.serving?.[Symbol.asyncDispose]();
  }
}
