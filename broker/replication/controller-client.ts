/** Calls to whoever is the controller now; all of them give up rather than wait for long. */
import type { BrokerImage } from '../metadata/image.ts';
import type { Run } from './peer-channels.ts';
import type { PeerNetwork } from './peer-network.ts';
import type {
  AllocateProducerIdsResponse,
  AlterPartitionRequest,
  AlterPartitionResponse,
  ChangePartitionsResponse,
  ControlPeer,
  LeaveResponse,
  ProtoMember,
  WishMessage,
} from './services.ts';

export class ControllerUnavailable extends Error {}

export class ControllerClient implements Disposable {
  private readonly network: PeerNetwork;
  private readonly controller: () => BrokerImage | null;
  private peer: ControlPeer | null = null;
  private address = '';
  private id = -1;

  constructor(network: PeerNetwork, controller: () => BrokerImage | null) {
    this.network = network;
    this.controller = controller;
  }

  private connect(): ControlPeer {
    const broker = this.controller();
    if (broker === null) throw new ControllerUnavailable('no controller is known');
    const address = `${broker.host}:${broker.replicationPort}`;
    if (this.peer === null || this.address !== address || this.id !== broker.id) {
      this.peer?.close();
      this.peer = this.network.control(address, broker.id);
      this.address = address;
      this.id = broker.id;
    }
    return this.peer;
  }

  private call<Response>(timeoutMs: number, run: Run<ControlPeer, Response>): Promise<Response> {
    return new Promise((resolve, reject) => {
      const options = { deadline: this.network.deadline(timeoutMs) };
      run(this.connect(), options, (cause, response) =>
        cause === null ? resolve(response) : reject(cause),
      );
    });
  }

  alterPartition(request: AlterPartitionRequest): Promise<AlterPartitionResponse> {
    return this.call(5_000, (peer, options, done) => peer.AlterPartition(request, options, done));
  }

  leave(broker: ProtoMember, timeoutMs: number): Promise<LeaveResponse> {
    return this.call(timeoutMs, (peer, options, done) => peer.Leave({ broker }, options, done));
  }

  allocateProducerIds(broker: ProtoMember): Promise<AllocateProducerIdsResponse> {
    return this.call(5_000, (peer, options, done) =>
      peer.AllocateProducerIds({ broker }, options, done),
    );
  }

  changePartitions(
    wishes: readonly WishMessage[],
    timeoutMs: number,
  ): Promise<ChangePartitionsResponse> {
    return this.call(timeoutMs, (peer, options, done) =>
      peer.ChangePartitions({ wishes }, options, done),
    );
  }

  [Symbol.dispose](): void {
    this.peer?.close();
  }
}
