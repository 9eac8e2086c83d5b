/** The network of a broker as an argument: its peers, its clients, and those who look after it. */
import { serveAdmin } from '../stdx/admin-http.ts';
import { grpcNetwork, type PeerNetwork, type PeerTls } from './replication/peer-network.ts';
import type { Connection } from './server/connection.ts';
import { Listener, type ListenerDeps, type ListenerOptions } from './server/listener.ts';

/** Where clients come in. */
export interface ClientListener extends AsyncDisposable {
  readonly connections: ReadonlySet<Connection>;
}

export interface BrokerNetwork {
  readonly peers: PeerNetwork;
  readonly serveAdmin: typeof serveAdmin;
  /** @throws Error where the address cannot be had */
  readonly listen: (deps: ListenerDeps, options: ListenerOptions) => Promise<ClientListener>;
}

/** With the certificates by which brokers know each other; null: they speak plainly. */
export function systemNetwork(tls: PeerTls | null): BrokerNetwork {
  return {
    peers: grpcNetwork(tls),
    serveAdmin,
    async listen(deps, options) {
      const listener = new Listener(deps, options);
      await listener.listen();
      return listener;
    },
  };
}
