/**
 * A stream to another broker's process that is open as long as the process lives. When it breaks,
 * a new connection is tried: refused means that the process is gone though its address lives.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../../stdx/clock.ts';
import type { PeerNetwork } from './peer-network.ts';
import type { ControlPeer } from './services.ts';

const RETRY_MS = 250;

export interface PresenceTarget {
  readonly id: number;
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
}

export interface PresenceListener {
  readonly onPresent: (target: PresenceTarget) => void;
  readonly onRefused: (target: PresenceTarget) => void;
}

class Watch implements Disposable {
  private readonly clock: Clock;
  private readonly network: PeerNetwork;
  readonly target: PresenceTarget;
  private readonly listener: PresenceListener;
  private readonly peer: ControlPeer;
  private stream: ClientDuplexStream<object, object> | null = null;
  private probe: Disposable | null = null;
  private closed = false;
  open = false;

  constructor(
    clock: Clock,
    network: PeerNetwork,
    target: PresenceTarget,
    listener: PresenceListener,
  ) {
    this.clock = clock;
    this.target = target;
    this.listener = listener;
    this.network = network;
    this.peer = network.control(`${target.host}:${target.port}`, target.id);
    this.connect();
  }

  private connect(): void {
    if (this.closed) return;
    const stream = this.peer.Presence();
    this.stream = stream;
    const lost = () => {
      if (this.stream !== stream) return;
      this.stream = null;
      this.open = false;
      stream.cancel();
      if (!this.closed) this.knock();
    };
    stream.on('data', () => {
      if (!this.open) {
        this.open = true;
        this.listener.onPresent(this.target);
      }
    });
    stream.on('error', lost);
    stream.on('end', lost);
    stream.write({});
  }

  private knock(): void {
    const probe = this.network.knock(this.target, (answer) => {
      if (this.closed || this.probe !== probe) return;
      this.probe = null;
      if (answer === 'refused') this.listener.onRefused(this.target);
      this.clock.after(RETRY_MS, () => this.connect());
    });
    this.probe = probe;
  }

  [Symbol.dispose](): void {
    this.closed = true;
    this.stream?.cancel();
    this.probe?.[Symbol.dispose]();
    this.peer.close();
  }
}

/** Watches a changing set of processes. */
export class Presence implements Disposable {
  private readonly clock: Clock;
  private readonly network: PeerNetwork;
  private readonly listener: PresenceListener;
  private readonly watches = new Map<number, Watch>();

  constructor(clock: Clock, network: PeerNetwork, listener: PresenceListener) {
    this.clock = clock;
    this.network = network;
    this.listener = listener;
  }

  watch(targets: readonly PresenceTarget[]): void {
    for (const [id, watch] of this.watches) {
      const wanted = targets.find((target) => target.id === id);
      const same =
        wanted?.epoch === watch.target.epoch &&
        wanted.host === watch.target.host &&
        wanted.port === watch.target.port;
      if (same) continue;
      watch[Symbol.dispose]();
      this.watches.delete(id);
    }
    for (const target of targets) {
      if (!this.watches.has(target.id))
        this.watches.set(target.id, new Watch(this.clock, this.network, target, this.listener));
    }
  }

  get isAnyOpen(): boolean {
    return [...this.watches.values()].some(({ open }) => open);
  }

  isOpen(id: number, epoch: number): boolean {
    const watch = this.watches.get(id);
    return watch?.open === true && watch.target.epoch === epoch;
  }

  [Symbol.dispose](): void {
    for (const watch of this.watches.values()) watch[Symbol.dispose]();
    this.watches.clear();
  }
}
