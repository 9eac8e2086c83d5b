/** Calls about transactions between brokers; none waits for long. */
import type * as grpc from '@grpc/grpc-js';
import type { BrokerImage } from '../metadata/image.ts';
import { PeerChannels, unary } from './peer-channels.ts';
import {
  type AddPartitionsRequest,
  connectTransactions,
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

  constructor(brokerOf: (id: number) => BrokerImage | null) {
    this.channels = new PeerChannels(brokerOf, connectTransactions);
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

/** The service that a broker's gRPC server offers for the calls above. */
export function serveTransactions(server: grpc.Server, handlers: TransactionHandlers): void {
  server.addService(transactionsService, {
    WriteMarkers: unary(async ({ markers }: { markers: MarkerMessage[] }) => {
      const all = await handlers.writeMarkers(markers);
      return { results: all.map((errorCodes) => ({ errorCodes })) };
    }),
    AddPartitions: unary(async (request: AddPartitionsRequest) => ({
      errorCodes: await handlers.addPartitions(request),
    })),
  });
}
