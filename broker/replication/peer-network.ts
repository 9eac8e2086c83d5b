/** How brokers reach each other, as an argument: gRPC in processes, a simulation in tests. */
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import {
  type ControlPeer,
  channelOptions,
  connectControl,
  connectReplication,
  connectShareState,
  connectTransactions,
  type ReplicationPeer,
  type ShareStatePeer,
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
  /** Tells whether a connection is refused: the machine answers, and nobody listens there. */
  readonly knock: (
    at: { readonly host: string; readonly port: number },
    done: (refused: boolean) => void,
  ) => Disposable;
}

const KNOCK_TIMEOUT_MS = 1_000;

export const grpcNetwork: PeerNetwork = {
  replication: connectReplication,
  control: connectControl,
  transactions: connectTransactions,
  shareState: connectShareState,
  async serve(services, { host, port }) {
    const server = new grpc.Server(channelOptions);
    for (const { definition, implementation } of services)
      server.addService(definition, implementation);
    await new Promise<void>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      server.bindAsync(`${host}:${port}`, credentials, (cause) =>
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
    const end = (refused: boolean) => {
      socket.destroy();
      if (over) return;
      over = true;
      done(refused);
    };
    socket.setTimeout(KNOCK_TIMEOUT_MS, () => end(false));
    socket.on('connect', () => end(false));
    socket.on('error', (cause: NodeJS.ErrnoException) => end(cause.code === 'ECONNREFUSED'));
    return {
      [Symbol.dispose]() {
        over = true;
        socket.destroy();
      },
    };
  },
};
