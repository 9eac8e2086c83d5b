/**
 * One client connection: frames in, answers out in the order of the requests, with back-pressure
 * both ways. Answers of one turn leave in one write.
 */
import type { Socket } from 'node:net';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import { TURN_SEND } from '../partition/partition.ts';
import { FrameReader } from './frames.ts';

/** Requests that may wait for their answers; beyond it the socket is not read. */
const IN_FLIGHT_MAX = 500;
const NOTHING = Buffer.alloc(0);
const WRITE_BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

/** The chunks of one answer, its size field included; null: the request wants none. */
export type Answer = readonly Buffer[] | null;

interface Slot {
  answer: Answer | undefined;
  whenSent: (() => void) | null;
}

export interface ConnectionDeps {
  readonly turn: Turn;
  readonly clock: Clock;
  readonly frameBytesMax: number;
  /** Handles a request; `done` is called exactly once, at once or later. Throws to close. */
  readonly onRequest: (
    connection: Connection,
    frame: Buffer,
    owned: boolean,
    done: (answer: Answer, whenSent: (() => void) | null) => void,
  ) => void;
  readonly onClose: (connection: Connection, cause: unknown) => void;
}

export class Connection implements TurnTask {
  scheduled = false;
  readonly id: number;
  readonly peer: string;
  readonly listener: string;
  private readonly deps: ConnectionDeps;
  private readonly frames: FrameReader;
  private socket: Socket | null = null;
  private slots: Slot[] = [];
  private paused = false;
  private closed = false;
  private muted: Disposable | null = null;
  lastActiveMs: number;
  /** Told by ApiVersions; shown in metrics. */
  software = { name: 'unknown', version: 'unknown' };
  /** What is to be done when this connection ends, by who asked for it. */
  private ends: Map<object, () => void> | null = null;

  constructor(deps: ConnectionDeps, of: { id: number; peer: string; listener: string }) {
    this.deps = deps;
    this.id = of.id;
    this.peer = of.peer;
    this.listener = of.listener;
    this.lastActiveMs = deps.clock.monotonicMs();
    this.frames = new FrameReader(
      { onFrame: (frame, owned) => this.onFrame(frame, owned) },
      deps.frameBytesMax,
    );
  }

  attach(socket: Socket): void {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (cause) => this.close(cause));
    socket.on('close', () => this.close(null));
    socket.on('end', () => this.close(null));
    socket.on('drain', () => this.resumeIfIdle());
  }

  get isClosed(): boolean {
    return this.closed;
  }
  get inFlight(): number {
    return this.slots.length;
  }

  /** Runs once when the connection ends; asked for again by the same owner, it still runs once. */
  whenClosed(owner: object, run: () => void): void {
    if (this.closed) return run();
    this.ends ??= new Map();
    this.ends.set(owner, run);
  }

  readBuffer(): Buffer {
    return this.frames.next();
  }

  /** Returns false while nothing more should be read. */
  onRead(byteCount: number): boolean {
    return this.guarded(() => this.frames.onRead(byteCount));
  }
  onBytes(bytes: Buffer): boolean {
    return this.guarded(() => this.frames.onBytes(bytes));
  }

  private guarded(run: () => void): boolean {
    if (this.closed) return false;
    try {
      run();
    } catch (cause) {
      expectNoBug('reading a request', cause);
      this.close(cause);
      return false;
    }
    this.deps.turn.endIfHeavy();
    const full =
      this.slots.length >= IN_FLIGHT_MAX ||
      (this.socket?.writableLength ?? 0) > WRITE_BACKLOG_BYTES_MAX;
    if (full && !this.paused) {
      this.paused = true;
      this.socket?.pause();
    }
    return !full && this.muted === null;
  }

  private onFrame(frame: Buffer, owned: boolean): void {
    if (this.closed) return;
    this.lastActiveMs = this.deps.clock.monotonicMs();
    const slot: Slot = { answer: undefined, whenSent: null };
    this.slots.push(slot);
    this.deps.onRequest(this, frame, owned, (answer, whenSent) => {
      if (this.closed) {
        whenSent?.();
        return;
      }
      slot.answer = answer;
      slot.whenSent = whenSent;
      if (this.slots[0] === slot) this.deps.turn.schedule(TURN_SEND, this);
    });
  }

  /** Sends every answer whose turn it is. */
  runInTurn(): void {
    const { socket } = this;
    if (this.closed || socket === null) return;
    let count = 0;
    const sent: (() => void)[] = [];
    socket.cork();
    for (const { answer, whenSent } of this.slots) {
      if (answer === undefined) break;
      count++;
      if (whenSent !== null) sent.push(whenSent);
      for (const chunk of answer ?? []) socket.write(chunk);
    }
    socket.uncork();
    if (sent.length > 0) this.afterWrites(socket, sent);
    this.slots.splice(0, count);
    this.resumeIfIdle();
  }

  /** What the system could not take at once still refers to our memory. */
  private afterWrites(socket: Socket, sent: readonly (() => void)[]): void {
    const run = () => {
      for (const one of sent) one();
    };
    if (socket.writableLength === 0) run();
    else socket.write(NOTHING, run);
  }

  private resumeIfIdle(): void {
    if (!this.paused || this.closed || this.muted !== null) return;
    if (
      this.slots.length >= IN_FLIGHT_MAX / 2 ||
      (this.socket?.writableLength ?? 0) > WRITE_BACKLOG_BYTES_MAX / 2
    )
      return;
    this.paused = false;
    this.socket?.resume();
  }

  /** Reads nothing more for a while; what was answered goes out all the same. */
  mute(forMs: number): void {
    if (this.closed) return;
    this.muted?.[Symbol.dispose]();
    this.paused = true;
    this.socket?.pause();
    this.muted = this.deps.clock.after(forMs, () => {
      this.muted = null;
      this.resumeIfIdle();
    });
  }

  close(cause: unknown): void {
    if (this.closed) return;
    this.closed = true;
    this.muted?.[Symbol.dispose]();
    for (const { whenSent } of this.slots) whenSent?.();
    this.slots = [];
    this.socket?.destroy();
    for (const run of this.ends?.values() ?? []) run();
    this.ends = null;
    this.deps.onClose(this, cause);
  }
}
