/** How brokers reach each other, as an argument: gRPC in processes, a simulation in tests. */
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { fatal } from '../../stdx/bug.ts';
import { systemClock } from '../../stdx/clock.ts';
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

/** Addresses are `host:port`. Opening a channel sends nothing before the first call. */
export interface PeerNetwork {
  readonly replication: (address: string) => ReplicationPeer;
  readonly control: (address: string) => ControlPeer;
  readonly transactions: (address: string) => TransactionsPeer;
  readonly shareState: (address: string) => ShareStatePeer;
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

interface PeerCredentials {
  readonly channel: grpc.ChannelCredentials;
  readonly server: grpc.ServerCredentials;
}

/**
 * With a folder of `tls.crt`, `tls.key` and `ca.crt` each side proves that the cluster's authority has
 * signed it; files that change are taken up by themselves. Whom it signed for is not asked: it signs
 * for brokers of this cluster only.
 */
function credentialsOf(tlsFolder: string | null): PeerCredentials {
  if (tlsFolder === null)
    return {
      channel: grpc.credentials.createInsecure(),
      server: grpc.ServerCredentials.createInsecure(),
    };
  const files = new grpc.experimental.FileWatcherCertificateProvider({
    certificateFile: `${tlsFolder}/tls.crt`,
    privateKeyFile: `${tlsFolder}/tls.key`,
    caCertificateFile: `${tlsFolder}/ca.crt`,
    refreshIntervalMs: TLS_LOOK_MS,
  });
  return {
    channel: grpc.experimental.createCertificateProviderChannelCredentials(files, files, {
      checkServerIdentity: () => undefined,
    }),
    server: grpc.experimental.createCertificateProviderServerCredentials(files, files, true),
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

export function grpcNetwork(tlsFolder: string | null): PeerNetwork {
  const { channel, server: serverCredentials } = credentialsOf(tlsFolder);
  return {
    replication: (address) => connectReplication(address, channel),
    control: (address) => connectControl(address, channel),
    transactions: (address) => connectTransactions(address, channel),
    shareState: (address) => connectShareState(address, channel),
    async serve(services, { host, port }) {
      const server = new grpc.Server(serverOptions);
      for (const { definition, implementation } of services)
        server.addService(definition, guarded(implementation));
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(`${host}:${port}`, serverCredentials, (cause) =>
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
