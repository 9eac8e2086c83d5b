/** The state of share groups, asked of whichever broker coordinates it. */
import * as grpc from '@grpc/grpc-js';
import type { BrokerImage } from '../metadata/image.ts';
import {
  connectShareState,
  type ShareReadResponse,
  type ShareStatePeer,
  type ShareWriteRequest,
  shareStateService,
} from './services.ts';

const TIMEOUT_MS = 10_000;

export interface ShareStateHandlers {
  readonly read: (key: ShareWriteRequest['key'], leaderEpoch: number) => Promise<ShareReadResponse>;
  readonly write: (request: ShareWriteRequest) => Promise<number>;
}

export class SharePeers implements Disposable {
  private readonly brokerOf: (id: number) => BrokerImage | null;
  private readonly peers = new Map<number, { address: string; peer: ShareStatePeer }>();

  constructor(brokerOf: (id: number) => BrokerImage | null) {
    this.brokerOf = brokerOf;
  }

  private connect(id: number): ShareStatePeer {
    const broker = this.brokerOf(id);
    if (broker === null) throw new Error(`broker ${id} is not known`);
    const address = `${broker.host}:${broker.replicationPort}`;
    const known = this.peers.get(id);
    if (known?.address === address) return known.peer;
    known?.peer.close();
    const peer = connectShareState(address);
    this.peers.set(id, { address, peer });
    return peer;
  }

  private get options(): { deadline: number } {
    // gRPC deadlines are wall-clock times by its interface; nothing else here depends on them.
    return { deadline: performance.timeOrigin + performance.now() + TIMEOUT_MS };
  }

  read(id: number, key: ShareWriteRequest['key'], leaderEpoch: number): Promise<ShareReadResponse> {
    return new Promise((resolve, reject) => {
      this.connect(id).Read({ key, leaderEpoch }, this.options, (cause, response) =>
        cause === null ? resolve(response) : reject(cause),
      );
    });
  }

  write(id: number, request: ShareWriteRequest): Promise<number> {
    return new Promise((resolve, reject) => {
      this.connect(id).Write(request, this.options, (cause, response) =>
        cause === null ? resolve(response.errorCode) : reject(cause),
      );
    });
  }

  [Symbol.dispose](): void {
    for (const { peer } of this.peers.values()) peer.close();
  }
}

export function serveShareState(server: grpc.Server, handlers: ShareStateHandlers): void {
  type Done = (error: Partial<grpc.StatusObject> | null, response?: unknown) => void;
  const answer = (result: Promise<unknown>, done: Done) => {
    result.then(
      (response) => done(null, response),
      (cause: unknown) => done({ code: grpc.status.INTERNAL, details: String(cause) }),
    );
  };
  server.addService(shareStateService, {
    Read: (
      { request }: { request: { key: ShareWriteRequest['key']; leaderEpoch: number } },
      done: Done,
    ) => answer(handlers.read(request.key, request.leaderEpoch), done),
    Write: ({ request }: { request: ShareWriteRequest }, done: Done) =>
      answer(
        handlers.write(request).then((errorCode) => ({ errorCode })),
        done,
      ),
  });
}
