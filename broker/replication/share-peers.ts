/** The state of share groups, asked of whichever broker coordinates it. */
import type { BrokerImage } from '../metadata/image.ts';
import { PeerChannels, unary } from './peer-channels.ts';
import type { PeerNetwork, PeerService } from './peer-network.ts';
import {
  type ShareReadResponse,
  type ShareStatePeer,
  type ShareWriteRequest,
  shareStateService,
} from './services.ts';

type Key = ShareWriteRequest['key'];

export interface ShareStateHandlers {
  readonly read: (key: Key, leaderEpoch: number) => Promise<ShareReadResponse>;
  readonly write: (request: ShareWriteRequest) => Promise<number>;
}

export class SharePeers implements Disposable {
  private readonly channels: PeerChannels<ShareStatePeer>;

  constructor(network: PeerNetwork, brokerOf: (id: number) => BrokerImage | null) {
    this.channels = new PeerChannels(network, brokerOf, network.shareState);
  }

  read(id: number, key: Key, leaderEpoch: number): Promise<ShareReadResponse> {
    return this.channels.call(id, (peer, options, done) =>
      peer.Read({ key, leaderEpoch }, options, done),
    );
  }

  async write(id: number, request: ShareWriteRequest): Promise<number> {
    const { errorCode } = await this.channels.call<{ errorCode: number }>(
      id,
      (peer, options, done) => peer.Write(request, options, done),
    );
    return errorCode;
  }

  [Symbol.dispose](): void {
    this.channels[Symbol.dispose]();
  }
}

export function shareStateOf(handlers: ShareStateHandlers): PeerService {
  const implementation = {
    Read: unary(({ key, leaderEpoch }: { key: Key; leaderEpoch: number }) =>
      handlers.read(key, leaderEpoch),
    ),
    Write: unary(async (request: ShareWriteRequest) => ({
      errorCode: await handlers.write(request),
    })),
  };
  return { definition: shareStateService, implementation };
}
