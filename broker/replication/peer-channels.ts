/** Short calls between brokers: one channel for each peer, made anew when its address changes. */
import * as grpc from '@grpc/grpc-js';
import { expectNoBug } from '../../stdx/bug.ts';
import type { BrokerImage } from '../metadata/image.ts';
import type { Connect, PeerNetwork } from './peer-network.ts';

const TIMEOUT_MS = 10_000;

/** How one call is made: on which channel, until when, and whom to tell. */
export type Run<Peer, Response> = (
  peer: Peer,
  options: { deadline: number },
  done: (cause: Error | null, response: Response) => void,
) => void;

export class PeerChannels<Peer extends grpc.Client> implements Disposable {
  private readonly brokerOf: (id: number) => BrokerImage | null;
  private readonly network: PeerNetwork;
  private readonly open: Connect<Peer>;
  private readonly peers = new Map<number, { address: string; peer: Peer }>();

  constructor(
    network: PeerNetwork,
    brokerOf: (id: number) => BrokerImage | null,
    open: Connect<Peer>,
  ) {
    this.network = network;
    this.brokerOf = brokerOf;
    this.open = open;
  }

  private connect(id: number): Peer {
    const broker = this.brokerOf(id);
    if (broker === null) throw new Error(`broker ${id} is not known`);
    const address = `${broker.host}:${broker.replicationPort}`;
    const known = this.peers.get(id);
    if (known?.address === address) return known.peer;
    known?.peer.close();
    const peer = this.open(address, id);
    this.peers.set(id, { address, peer });
    return peer;
  }

  /** Rejects where the broker is unknown, does not answer in time, or answers with a failure. */
  call<Response>(id: number, run: Run<Peer, Response>, timeoutMs = TIMEOUT_MS): Promise<Response> {
    return new Promise((resolve, reject) => {
      const options = { deadline: this.network.deadline(timeoutMs) };
      run(this.connect(id), options, (cause, response) =>
        cause === null ? resolve(response) : reject(cause),
      );
    });
  }

  [Symbol.dispose](): void {
    for (const { peer } of this.peers.values()) peer.close();
  }
}

/** How the serving side of a unary call answers. */
export type Done<Response> = (
  error: Partial<grpc.StatusObject> | null,
  response?: Response,
) => void;

/** The serving side of a unary call: the handler's result, or its failure as a status. */
export function unary<Request, Response>(handle: (request: Request) => Promise<Response>) {
  return ({ request }: { request: Request }, done: Done<Response>): void => {
    handle(request).then(
      (response) => done(null, response),
      (cause: unknown) => {
        expectNoBug('answering a peer', cause);
        done({
          code: grpc.status.INTERNAL,
          details: cause instanceof Error ? cause.message : String(cause),
        });
      },
    );
  };
}
