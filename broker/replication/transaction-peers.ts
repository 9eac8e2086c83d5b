/** Calls about transactions between brokers, one channel for each; none waits for long. */
import * as grpc from '@grpc/grpc-js';
import type { BrokerImage } from '../metadata/image.ts';
import {
  type AddPartitionsRequest,
  connectTransactions,
  type MarkerMessage,
  type TransactionsPeer,
  transactionsService,
} from './services.ts';

const TIMEOUT_MS = 10_000;

/** What this broker answers to its peers. Error codes are Kafka's. */
export interface TransactionHandlers {
  readonly writeMarkers: (markers: readonly MarkerMessage[]) => Promise<number[][]>;
  readonly addPartitions: (request: AddPartitionsRequest) => Promise<number[]>;
}

export class TransactionPeers implements Disposable {
  private readonly brokerOf: (id: number) => BrokerImage | null;
  private readonly peers = new Map<number, { address: string; peer: TransactionsPeer }>();

  constructor(brokerOf: (id: number) => BrokerImage | null) {
    this.brokerOf = brokerOf;
  }

  private connect(id: number): TransactionsPeer {
    const broker = this.brokerOf(id);
    if (broker === null) throw new Error(`broker ${id} is not known`);
    const address = `${broker.host}:${broker.replicationPort}`;
    const known = this.peers.get(id);
    if (known?.address === address) return known.peer;
    known?.peer.close();
    const peer = connectTransactions(address);
    this.peers.set(id, { address, peer });
    return peer;
  }

  private call<Response>(
    id: number,
    run: (
      peer: TransactionsPeer,
      options: { deadline: number },
      done: (cause: grpc.ServiceError | null, response: Response) => void,
    ) => void,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      // gRPC deadlines are wall-clock times by its interface; nothing else here depends on them.
      const options = { deadline: performance.timeOrigin + performance.now() + TIMEOUT_MS };
      run(this.connect(id), options, (cause, response) =>
        cause === null ? resolve(response) : reject(cause),
      );
    });
  }

  async writeMarkers(id: number, markers: readonly MarkerMessage[]): Promise<number[][]> {
    const { results } = await this.call<{ results: { errorCodes: number[] }[] }>(
      id,
      (peer, options, done) => peer.WriteMarkers({ markers }, options, done),
    );
    return results.map(({ errorCodes }) => errorCodes);
  }

  async addPartitions(id: number, request: AddPartitionsRequest): Promise<number[]> {
    const { errorCodes } = await this.call<{ errorCodes: number[] }>(id, (peer, options, done) =>
      peer.AddPartitions(request, options, done),
    );
    return errorCodes;
  }

  [Symbol.dispose](): void {
    for (const { peer } of this.peers.values()) peer.close();
  }
}

/** The service that a broker's gRPC server offers for the calls above. */
export function serveTransactions(server: grpc.Server, handlers: TransactionHandlers): void {
  const answer = <Response>(
    result: Promise<Response>,
    done: (error: Partial<grpc.StatusObject> | null, response?: Response) => void,
  ) => {
    result.then(
      (response) => done(null, response),
      (cause: unknown) =>
        done({
          code: grpc.status.INTERNAL,
          details: cause instanceof Error ? cause.message : String(cause),
        }),
    );
  };
  server.addService(transactionsService, {
    WriteMarkers: (
      call: { request: { markers: MarkerMessage[] } },
      done: Parameters<typeof answer>[1],
    ) => {
      const results = handlers.writeMarkers(call.request.markers);
      answer(
        results.then((all) => ({ results: all.map((errorCodes) => ({ errorCodes })) })),
        done,
      );
    },
    AddPartitions: (
      call: { request: AddPartitionsRequest },
      done: Parameters<typeof answer>[1],
    ) => {
      answer(
        handlers.addPartitions(call.request).then((errorCodes) => ({ errorCodes })),
        done,
      );
    },
  });
}
