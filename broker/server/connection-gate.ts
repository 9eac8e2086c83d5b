/**
 * What every connection passes before anything of it is read, TLS or not: who must wait for others to go,
 * or is too quick, waits unread, as in the backlog of a socket that nobody accepts from.
 */
import type { Socket } from 'node:net';
import { plainAddress } from '../../stdx/addresses.ts';
import type { Clock } from '../../stdx/clock.ts';
import { ConnectionLimits, type ConnectionRules } from './connection-limits-core.ts';

/** Connections that wait, and those that are to be closed later; others are closed at once. */
const WAITING_MAX = 1024;

interface Waiting {
  readonly socket: Socket;
  readonly ip: string;
  readonly open: (leave: () => void) => void;
}

export class ConnectionGate implements Disposable {
  private readonly clock: Clock;
  private readonly limits: ConnectionLimits;
  private readonly queue: Waiting[] = [];
  private readonly closing = new Map<Socket, Disposable>();
  private nextMs = 0;
  private timer: Disposable | null = null;
  private over = false;
  refused = 0;

  constructor(clock: Clock, rules: () => ConnectionRules) {
    this.clock = clock;
    this.limits = new ConnectionLimits(rules);
  }

  /** Connections that were let in and have not left. */
  get count(): number {
    return this.limits.count;
  }

  get waiting(): number {
    return this.queue.length;
  }

  /**
   * A connection that nothing was read of.
   * @param open called once it may come in; who is let in calls `leave` when it ends, once
   */
  enter(socket: Socket, open: (leave: () => void) => void): void {
    if (this.over || this.queue.length >= WAITING_MAX) return this.refuse(socket);
    // Whoever goes away while it waits is no error of anybody's.
    socket.on('error', ignored);
    this.queue.push({ socket, ip: plainAddress(socket.remoteAddress), open });
    if (this.queue.length === 1) this.pump();
  }

  private pump(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    for (let next = this.queue[0]; next !== undefined && !this.over; next = this.queue[0]) {
      const nowMs = this.clock.monotonicMs();
      if (nowMs < this.nextMs) {
        this.timer = this.clock.after(this.nextMs - nowMs, () => this.pump());
        return;
      }
      if (!next.socket.destroyed) {
        const admission = this.limits.admit(next.ip, nowMs);
        if (admission.kind === 'full') return;
        if (admission.kind === 'refused') this.refuse(next.socket, admission.afterMs);
        else {
          this.nextMs = nowMs + admission.pauseMs;
          this.letIn(next);
        }
      }
      this.queue.shift();
    }
  }

  private letIn({ socket, ip, open }: Waiting): void {
    let isIn = true;
    socket.off('error', ignored);
    open(() => {
      if (!isIn) return;
      isIn = false;
      this.limits.release(ip);
      if (this.queue.length > 0 && this.timer === null)
        this.timer = this.clock.after(0, () => this.pump());
    });
  }

  private refuse(socket: Socket, afterMs = 0): void {
    this.refused++;
    if (afterMs === 0 || this.closing.size >= WAITING_MAX) {
      socket.destroy();
      return;
    }
    const timer = this.clock.after(afterMs, () => {
      this.closing.delete(socket);
      socket.destroy();
    });
    this.closing.set(socket, timer);
  }

  [Symbol.dispose](): void {
    this.over = true;
    this.timer?.[Symbol.dispose]();
    for (const { socket } of this.queue.splice(0)) socket.destroy();
    for (const [socket, timer] of this.closing) {
      timer[Symbol.dispose]();
      socket.destroy();
    }
    this.closing.clear();
  }
}

function ignored(): void {}
