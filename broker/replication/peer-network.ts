/** How brokers reach each other, as an argument: gRPC in processes, a simulation in tests. */
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import {
  brokerNamedBy,
  type ClusterName,
  certificateFile,
  keyFile,
  type PeerTlsMode,
} from '../../kube/broker-identity.ts';
import { fatal } from '../../stdx/bug.ts';
import { systemClock } from '../../stdx/clock.ts';
import { listenForPeers, type TakenCredentials } from './peer-listener.ts';
import {
  type ControlPeer,
  connectControl,
  connectReplication,
  connectShareState,
  connectTransactions,
  type ReplicationPeer,
  type ShareStatePeer,
  serverOptions,
  type TransactionsPeer,
} from './services.ts';

export interface PeerService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

/** Opens a channel to a broker at `host:port`, and to no other; nothing is sent before the first call. */
export type Connect<Peer> = (address: string, id: number) => Peer;

/** Who calls: a broker by its id, anybody where nobody proves who they are, or a stranger. */
export type Caller = number | 'anybody' | 'stranger';

export interface PeerNetwork {
  readonly replication: Connect<ReplicationPeer>;
  readonly control: Connect<ControlPeer>;
  readonly transactions: Connect<TransactionsPeer>;
  readonly shareState: Connect<ShareStatePeer>;
  /** Who is at the other end of a call that is served. */
  readonly callerOf: (call: unknown) => Caller;
  /** Serves until disposed. @throws Error where the address cannot be had */
  readonly serve: (
    services: readonly PeerService[],
    at: { readonly host: string; readonly port: number },
  ) => Promise<AsyncDisposable>;
  /** When a call that may take so long must be over, in the form of `options.deadline`. */
  readonly deadline: (timeoutMs: number) => number;
  /** Tries to connect, and tells what comes of it. */
  readonly knock: (
    at: { readonly host: string; readonly port: number },
    done: (answer: KnockAnswer) => void,
  ) => Disposable;
}

/**
 * Refused: the machine answers, and nobody listens there. Accepted: the process is there, however late it
 * may be with everything, for its system answers in its place. Silent: nothing is known.
 */
export type KnockAnswer = 'refused' | 'accepted' | 'silent';

const KNOCK_TIMEOUT_MS = 1_000;
const TLS_LOOK_MS = 5_000;

/** Whose certificates are in a folder, and which of them is this broker's. */
export interface PeerTls extends ClusterName {
  readonly folder: string;
  readonly id: number;
  readonly mode: PeerTlsMode;
}

interface PeerCredentials {
  readonly channel: (id: number) => grpc.ChannelCredentials;
  /** Null: nobody speaks TLS. */
  readonly taken: TakenCredentials | null;
  readonly callerOf: PeerNetwork['callerOf'];
}

const PLAIN: PeerCredentials = {
  channel: () => grpc.credentials.createInsecure(),
  taken: null,
  callerOf: () => 'anybody',
};

/**
 * Each side proves that the authority of the cluster's brokers has signed it, and which broker it is: who
 * dials asks for the one that it means, who is dialled holds against it what the messages say. Files that
 * change are taken up by themselves.
 */
function credentialsOf(tls: PeerTls | null): PeerCredentials {
  if (tls === null) return PLAIN;
  const files = new grpc.experimental.FileWatcherCertificateProvider({
    certificateFile: `${tls.folder}/${certificateFile(tls.id)}`,
    privateKeyFile: `${tls.folder}/${keyFile(tls.id)}`,
    caCertificateFile: `${tls.folder}/ca.crt`,
    refreshIntervalMs: TLS_LOOK_MS,
  });
  const channels = new Map<number, grpc.ChannelCredentials>();
  return {
    channel(id) {
      if (tls.mode === 'accept') return grpc.credentials.createInsecure();
      let channel = channels.get(id);
      if (channel === undefined) {
        channel = grpc.experimental.createCertificateProviderChannelCredentials(files, files, {
          checkServerIdentity: (_host, { subjectaltname }) =>
            brokerNamedBy(subjectaltname, tls) === id
              ? undefined
              : new Error(`the certificate is not that of broker ${id}: ${subjectaltname}`),
        });
        channels.set(id, channel);
      }
      return channel;
    },
    taken: {
      tls: grpc.experimental.createCertificateProviderServerCredentials(files, files, true),
      plain: tls.mode === 'require' ? null : grpc.ServerCredentials.createInsecure(),
    },
    callerOf(call) {
      const context = (call as grpc.ServerUnaryCall<unknown, unknown>).getAuthContext();
      const certificate = context?.sslPeerCertificate;
      // With TLS there is always one: nobody gets through a handshake without.
      if (certificate === undefined && tls.mode !== 'require') return 'anybody';
      return brokerNamedBy(certificate?.subjectaltname, tls) ?? 'stranger';
    },
  };
}

/** gRPC would answer a bug with a status and go on. */
function guarded(of: grpc.UntypedServiceImplementation): grpc.UntypedServiceImplementation {
  const guard =
    (name: string, handler: (...args: unknown[]) => unknown) =>
    (...args: unknown[]) => {
      try {
        return handler(...args);
      } catch (cause) {
        fatal(`answering ${name} of a peer`, cause);
        throw cause;
      }
    };
  return Object.fromEntries(
    Object.entries(of).map(([name, handler]) => [
      name,
      guard(name, handler as (...args: unknown[]) => unknown) as grpc.UntypedHandleCall,
    ]),
  );
}

export function grpcNetwork(tls: PeerTls | null): PeerNetwork {
  const { callerOf, channel, taken } = credentialsOf(tls);
  return {
    replication: (address, id) => connectReplication(address, channel(id)),
    control: (address, id) => connectControl(address, channel(id)),
    transactions: (address, id) => connectTransactions(address, channel(id)),
    shareState: (address, id) => connectShareState(address, channel(id)),
    callerOf,
    async serve(services, { host, port }) {
      const server = new grpc.Server(serverOptions);
      for (const { definition, implementation } of services)
        server.addService(definition, guarded(implementation));
      if (taken !== null) return listenForPeers(server, taken, { host, port });
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (cause) =>
          cause ? reject(cause) : resolve(),
        );
      });
      return { [Symbol.asyncDispose]: async () => server.forceShutdown() };
    },
    // gRPC deadlines are wall-clock times by its interface; nothing else here depends on them.
    deadline: (timeoutMs) => performance.timeOrigin + performance.now() + timeoutMs,
    knock({ host, port }, done) {
      const socket = net.connect({ host, port });
      let over = false;
      const timer = systemClock.after(KNOCK_TIMEOUT_MS, () => end('silent'));
      const end = (answer: KnockAnswer) => {
        timer[Symbol.dispose]();
        socket.destroy();
        if (over) return;
        over = true;
        done(answer);
      };
      socket.on('connect', () => end('accepted'));
      socket.on('error', (cause: NodeJS.ErrnoException) =>
        end(cause.code === 'ECONNREFUSED' ? 'refused' : 'silent'),
      );
      return {
        [Symbol.dispose]() {
          over = true;
          timer[Symbol.dispose]();
          socket.destroy();
        },
      };
    },
  };
}
