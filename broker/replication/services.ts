/** The gRPC services of a broker, loaded from their .proto files, with typed messages. */
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ROOT } from '../../stdx/root.ts';
import { RECORDS_BYTES_MAX } from '../memory/budget-size-core.ts';
import type { Frame } from './leader-message.ts';

export interface ProtoMember {
  id: number;
  epoch: number;
}
export interface Subscribe {
  handle: number;
  topicId: string;
  partition: number;
  leaderEpoch: number;
  logEndOffset: number;
  lastEpoch: number;
  refused?: boolean;
  /** What the leader asked for in its last refusal; 0: nothing. */
  answer?: number;
  /** Null: of a version that does not say it. */
  logStartOffset?: number | null;
}
export interface Ack {
  handle: number;
  leaderEpoch: number;
  logEndOffset: number;
  /** Null: where it was said to start before. */
  logStartOffset?: number | null;
}
export interface Moved {
  handle: number;
  leaderEpoch: number;
}
export interface Hello {
  clusterId: string;
  follower: ProtoMember;
  leader: ProtoMember;
}
export interface FollowerMessage {
  hello?: Hello | null;
  subscribe?: Subscribe[];
  ack?: Ack[];
  unsubscribe?: number[];
  takenBytes?: number;
  moved?: Moved[];
}
export interface Data {
  handle: number;
  leaderEpoch: number;
  highWatermark: number;
  logStartOffset: number;
  records: Buffer;
}
export interface Refusal {
  handle: number;
  why?: 'diverging' | 'logStartOffset' | 'fencedByEpoch';
  diverging?: { epoch: number; endOffset: number };
  logStartOffset?: number;
  fencedByEpoch?: number;
  question?: number;
}
export interface LeaderMessage {
  data?: Data[];
  refusal?: Refusal[];
}

export interface AlterPartitionRequest {
  leader: ProtoMember;
  changes: {
    topicId: string;
    partition: number;
    leaderEpoch: number;
    partitionEpoch: number;
    isr: ProtoMember[];
  }[];
}
export interface AlterPartitionResponse {
  accepted: boolean;
  results: { topicId: string; partition: number; line: string; refused: boolean }[];
}
export interface LeaveResponse {
  accepted: boolean;
  leadersLeft: number;
}
export interface AllocateProducerIdsResponse {
  accepted: boolean;
  first: number;
  count: number;
}

export interface WishMessage {
  topicId: string;
  partition: number;
  kind: string;
  replicas?: readonly number[];
  allowReplicationFactorChange?: boolean;
  unclean?: boolean;
  member?: ProtoMember;
  isWhole?: boolean;
}
export interface ChangePartitionsResponse {
  accepted: boolean;
  results: { errorCode: number; message: string }[];
}

export interface ReplicaMessage {
  topic: string;
  topicId: string;
  partition: number;
  line: string;
  startOffset: number;
  endOffset: number;
  lastEpoch: number;
  highWatermark: number;
  config: string;
}
export interface PageAgeMessage {
  name: string;
  generation: number;
  changes: number;
  sum: number;
}
export interface ReplicasReportMessage {
  broker: ProtoMember;
  keptSince: number;
  formerEpoch: number;
  clusterId: string;
  storeGeneration: number;
  producerIdEnd: number;
  pages: readonly PageAgeMessage[];
  replicas: ReplicaMessage[];
}

export interface TopicPartitionMessage {
  topic: string;
  partition: number;
}
export interface MarkerMessage {
  producerId: number;
  producerEpoch: number;
  coordinatorEpoch: number;
  committed: boolean;
  transactionVersion: number;
  partitions: readonly TopicPartitionMessage[];
}
export interface AddPartitionsRequest {
  transactionalId: string;
  producerId: number;
  producerEpoch: number;
  verifyOnly: boolean;
  clientVersion: number;
  partitions: readonly TopicPartitionMessage[];
}

export interface ShareBatchMessage {
  firstOffset: number;
  lastOffset: number;
  deliveryState: number;
  deliveryCount: number;
}
export interface ShareReadResponse {
  errorCode: number;
  startOffset: number;
  batches: readonly ShareBatchMessage[];
}
export interface ShareWriteRequest {
  key: { groupId: string; topicId: string; partition: number };
  leaderEpoch: number;
  startOffset: number;
  batches: readonly ShareBatchMessage[];
  remove: boolean;
}

const folder = join(ROOT, 'proto');
const definition = loadSync(
  ['replication.proto', 'control.proto', 'transactions.proto', 'share.proto'],
  {
    includeDirs: [folder],
    longs: Number,
    defaults: true,
    oneofs: true,
    arrays: true,
  },
);

const replication = definition['tenure.replication.v1.Replication'] as grpc.ServiceDefinition;
const follow = replication.Follow as grpc.MethodDefinition<FollowerMessage, LeaderMessage>;

/**
 * Turns a message into bytes now. A stream that is busy would do so later, when the memory that
 * the records lie in may have been used again.
 */
export const encodeLeaderMessage: (message: LeaderMessage) => Buffer = follow.responseSerialize;

export const decodeLeaderMessage: (bytes: Buffer) => LeaderMessage = follow.responseDeserialize;

/** Its responses are frames: bytes that `encodeLeaderMessage` made, or a `DataFrame`. */
export const replicationService: grpc.ServiceDefinition = {
  ...replication,
  Follow: { ...follow, responseSerialize: (frame: unknown) => frame as Buffer },
};
export const controlService = definition['tenure.control.v1.Control'] as grpc.ServiceDefinition;

/** How messages of the streams become bytes and are read again. */
export const replicationMessages = {
  Follow: {
    ...follow,
    responseSerialize(frame: unknown) {
      const { byteLength } = frame as Frame;
      const bytes = Buffer.alloc(byteLength);
      (frame as Frame).copy(bytes, 0);
      return bytes;
    },
  } as grpc.MethodDefinition<unknown, unknown>,
  Presence: controlService.Presence as grpc.MethodDefinition<unknown, unknown>,
};

export const transactionsService = definition[
  'tenure.transactions.v1.Transactions'
] as grpc.ServiceDefinition;

export const shareStateService = definition['tenure.share.v1.ShareState'] as grpc.ServiceDefinition;

/**
 * Between brokers, to whoever calls. What comes back may be as large as the largest batch of records, beside
 * what a leader puts into one message.
 */
export const channelOptions: grpc.ChannelOptions = {
  'grpc.max_receive_message_length': RECORDS_BYTES_MAX + 1024 * 1024,
  'grpc.max_send_message_length': -1,
  // The data flows server to client, where the window can be set; 64 KiB would cap a stream.
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 4000,
  'grpc.enable_http_proxy': 0,
};

/**
 * To who is called by anybody that reaches the port. Requests of brokers are acknowledgements and wishes, of
 * some kilobytes for a thousand partitions; names and values of metadata are bounded by Node.js, to 64 KiB.
 */
export const serverOptions: grpc.ServerOptions = {
  ...channelOptions,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.max_concurrent_streams': 256,
  /** In megabytes: a session that holds more gets no new streams. */
  'grpc-node.max_session_memory': 256,
};

type Connect<Peer> = (address: string, credentials: grpc.ChannelCredentials) => Peer;

/** Opens a channel of a service; nothing is sent before the first call. */
function connector<Peer extends grpc.Client>(
  service: grpc.ServiceDefinition,
  name: string,
  options = channelOptions,
): Connect<Peer> {
  const Client = grpc.makeGenericClientConstructor(service, name);
  return (address, credentials) => new Client(address, credentials, options) as unknown as Peer;
}

type Unary<Request, Response> = (
  request: Request,
  options: { deadline: number },
  done: (error: grpc.ServiceError | null, response: Response) => void,
) => void;

export interface ReplicationPeer extends grpc.Client {
  Follow(): grpc.ClientDuplexStream<FollowerMessage, LeaderMessage>;
}
/** With a connection of its own: a follower that gives one up means a new one. */
export const connectReplication = connector<ReplicationPeer>(replicationService, 'Replication', {
  ...channelOptions,
  'grpc.use_local_subchannel_pool': 1,
});

export interface ControlPeer extends grpc.Client {
  AlterPartition: Unary<AlterPartitionRequest, AlterPartitionResponse>;
  Leave: Unary<{ broker: ProtoMember }, LeaveResponse>;
  AllocateProducerIds: Unary<{ broker: ProtoMember }, AllocateProducerIdsResponse>;
  ChangePartitions: Unary<{ wishes: readonly WishMessage[] }, ChangePartitionsResponse>;
  ReportReplicas: Unary<{ full: boolean }, ReplicasReportMessage>;
  Presence(): grpc.ClientDuplexStream<object, object>;
}
export const connectControl = connector<ControlPeer>(controlService, 'Control');

export interface TransactionsPeer extends grpc.Client {
  WriteMarkers: Unary<
    { markers: readonly MarkerMessage[] },
    { results: { errorCodes: number[] }[] }
  >;
  AddPartitions: Unary<AddPartitionsRequest, { errorCodes: number[] }>;
}
export const connectTransactions = connector<TransactionsPeer>(transactionsService, 'Transactions');

export interface ShareStatePeer extends grpc.Client {
  Read: Unary<{ key: ShareWriteRequest['key']; leaderEpoch: number }, ShareReadResponse>;
  Write: Unary<ShareWriteRequest, { errorCode: number }>;
}
export const connectShareState = connector<ShareStatePeer>(shareStateService, 'ShareState');
