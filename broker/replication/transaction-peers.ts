/** Calls about transactions between brokers; none waits for long. */
import type { BrokerImage } from '../metadata/image.ts';
import { PeerChannels, unary } from './peer-channels.ts';
import type { PeerNetwork, PeerService } from './peer-network.ts';
import {
  type AddPartitionsRequest,
  type MarkerMessage,
  type TransactionsPeer,
  transactionsService,
} from './services.ts';

/** What this broker answers to its peers. Error codes are Kafka's. */
export interface TransactionHandlers {
  readonly writeMarkers: (markers: readonly MarkerMessage[]) => Promise<number[][]>;
  readonly addPartitions: (request: AddPartitionsRequest) => Promise<number[]>;
}

export class TransactionPeers implements Disposable {
  private readonly channels: PeerChannels<TransactionsPeer>;

  constructor(network: PeerNetwork, brokerOf: (id: number) => BrokerImage | null) {
    this.channels = new PeerChannels(network, brokerOf, network.transactions);
  }

  async writeMarkers(id: number, markers: readonly MarkerMessage[]): Promise<number[][]> {
    const { results } = await this.channels.call<{ results: { errorCodes: number[] }[] }>(
      id,
      (peer, options, done) => peer.WriteMarkers({ markers }, options, done),
    );
    return results.map(({ errorCodes }) => errorCodes);
  }

  async addPartitions(id: number, request: AddPartitionsRequest): Promise<number[]> {
    const { errorCodes } = await this.channels.call<{ errorCodes: number[] }>(
      id,
      (peer, options, done) => peer.AddPartitions(request, options, done),
    );
    return errorCodes;
  }

  [Symbol.dispose](): void {
    this.channels[Symbol.dispose]();
  }
}

/** The service that a broker offers for the calls above. */
export function transactionsOf(handlers: TransactionHandlers): PeerService {
  const implementation = {
    WriteMarkers: unary(async ({ markers }: { markers: MarkerMessage[] }) => {
      const all = await handlers.writeMarkers(markers);
      return { results: all.map((errorCodes) => ({ errorCodes })) };
    }),
    AddPartitions: unary(async (request: AddPartitionsRequest) => ({
      errorCodes: await handlers.addPartitions(request),
    })),
  };
  return { definition: transactionsService, implementation };
}
