/**
 * One client connection: frames in, answers out in the order of the requests, with back-pressure
 * both ways. Answers of one turn leave in one write.
 *
 * As in Kafka one request is worked at at a time, so that nobody can have more done for him than he
 * takes; only requests to produce, which leave nothing in memory, may overlap.
 */
import type { Socket } from 'node:net';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import type { ClientConnection } from '../api/handler.ts';
import { ConnectionMemory } from '../memory/connection-memory.ts';
import type { MemoryBudget, MemoryShare, MemoryWaiter } from '../memory/memory-budget-core.ts';
import { TURN_SEND } from '../partition/partition.ts';
import { FrameReader } from './frames.ts';

/** Requests that may wait for their answers; beyond it the socket is not read. */
const IN_FLIGHT_MAX = 500;
const NOTHING = Buffer.alloc(0);
/** No other request is begun before so much of the answers has left. */
const UNSENT_BYTES_MAX = 1024 * 1024;
/** What a request costs whatever it is. */
const REQUEST_BYTES = 512;
/** A frame that has the place for large things to itself leaves so much for its size field and its request. */
const ROOM_BESIDE_BYTES = 4 + REQUEST_BYTES;
/** While others wait for memory, so slow may a client be with what it holds. */
const STALL_MS = 10_000;
const STALL_BYTES_PER_MS = 256;

/** The chunks of one answer, its size field included; null: the request wants none. */
export type Answer = readonly Buffer[] | null;

/**
 * `alone`: begun when all others of its connection are answered. `overlapping`: beside others of its kind.
 * `urgent`: alone, but not held up where there is no memory for answers; its own is small.
 */
export type RequestKind = 'alone' | 'overlapping' | 'urgent';

interface Slot {
  answer: Answer | undefined;
  whenSent: (() => void) | null;
  /** Of the request, then of its answer. */
  chargedTo: MemoryShare | null;
  byteCount: number;
}

export interface ConnectionDeps {
  readonly turn: Turn;
  readonly clock: Clock;
  readonly budget: MemoryBudget;
  readonly frameBytesMax: number;
  /** What kind of request a frame is. Throws to close. */
  readonly kindOf: (frame: Buffer) => RequestKind;
  /** Handles a request; `done` is called exactly once, at once or later. Throws to close. */
  readonly onRequest: (
    connection: Connection,
    frame: Buffer,
    owned: boolean,
    done: (answer: Answer, whenSent: (() => void) | null) => void,
  ) => void;
  readonly onClose: (connection: Connection, cause: unknown) => void;
}

/** What is waited for: room to begin a request, or for the rest of a frame. */
interface Wanted {
  readonly share: MemoryShare;
  readonly bytes: number;
}

export class Connection implements TurnTask, MemoryWaiter, ClientConnection {
  scheduled = false;
  readonly id: number;
  readonly peer: string;
  readonly listener: string;
  readonly memory: ConnectionMemory;
  private readonly deps: ConnectionDeps;
  private readonly frames: FrameReader;
  private socket: Socket | null = null;
  private slots: Slot[] = [];
  private paused = false;
  private closed = false;
  private muted: Disposable | null = null;
  /** A request is worked at beside which none is begun. */
  private isAlone = false;
  /** The next request waits until there is time for it; there is, for one. */
  private waitsForLoop = false;
  private hasLoop = false;
  /** The one that is being handed on, and its size. */
  private beginning: Slot | null = null;
  private beginningBytes = 0;
  private isKept = false;
  private wanted: Wanted | null = null;
  /** Where the request that is offered again may be charged. */
  private begunIn: MemoryShare | null = null;
  /** Since when answers wait to be sent, and how much of them. */
  private unsentSinceMs = 0;
  private unsentBytes = 0;
  lastActiveMs: number;
  usedMs = 0;
  usedAtMs = 0;
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
    this.memory = new ConnectionMemory(deps.budget);
    // What has no room ever is refused at once.
    const frameBytesMax = Math.min(
      deps.frameBytesMax,
      deps.budget.large.bytesMax - ROOM_BESIDE_BYTES,
    );
    this.frames = new FrameReader(
      { onFrame: (frame, ownedIn) => this.onFrame(frame, ownedIn) },
      { frameBytesMax, memory: this.memory, nowMs: () => deps.clock.monotonicMs() },
    );
  }

  attach(socket: Socket): void {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (cause) => this.close(cause));
    socket.on('close', () => this.close(null));
    socket.on('end', () => this.close(null));
    socket.on('drain', () => this.goOn());
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

  keepRequest(): void {
    const slot = this.beginning;
    if (slot === null || this.isKept) return;
    this.isKept = true;
    if (slot.byteCount >= this.beginningBytes) return;
    // What overlaps was not charged for more than its slot.
    const { requests } = this.deps.budget;
    this.memory.release(slot.chargedTo as MemoryShare, slot.byteCount);
    slot.byteCount += this.beginningBytes;
    slot.chargedTo = requests;
    this.memory.overdraw(requests, slot.byteCount);
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
    if (!this.tried(run)) return false;
    this.deps.turn.endIfHeavy();
    return !this.closed && !this.paused;
  }

  /** Runs what a client brought about; whatever it throws closes the connection: false. */
  private tried(run: () => void): boolean {
    if (this.closed) return false;
    try {
      run();
    } catch (cause) {
      expectNoBug('reading a request', cause);
      this.close(cause);
      return false;
    }
    if (this.closed) return false;
    if (this.frames.isStopped) this.pause();
    if (this.frames.lacksRoom)
      this.waitFor({ share: this.deps.budget.frames, bytes: this.frames.growthBytes });
    return true;
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket?.pause();
  }

  private waitFor(wanted: Wanted): void {
    this.wanted = wanted;
    this.deps.budget.wait(this);
  }

  get share(): MemoryShare {
    return (this.wanted as Wanted).share;
  }
  neededBytes(): number {
    return (this.wanted as Wanted).bytes;
  }
  heldBytes(): number {
    return this.memory.heldOf(this.share);
  }

  onRoom(share: MemoryShare): void {
    if (this.frames.lacksRoom && share === this.deps.budget.large)
      this.tried(() => this.frames.finishIn(share));
    else {
      this.begunIn = share;
      this.tried(() => this.frames.again());
      this.begunIn = null;
    }
    this.resumeIfIdle();
  }

  /** Whether nothing stands in the way of another request but perhaps memory. */
  private mayBegin(kind: RequestKind): boolean {
    if (this.isAlone || this.muted !== null) return false;
    const { length } = this.slots;
    if (kind === 'overlapping' ? length >= IN_FLIGHT_MAX : length > 0) return false;
    if ((this.socket?.writableLength ?? 0) > UNSENT_BYTES_MAX) return false;
    return kind === 'urgent' || this.mayHaveLoop();
  }

  /** Where requests had enough of this turn, those that come next wait: whoever had least lately is first. */
  private mayHaveLoop(): boolean {
    if (this.hasLoop) {
      this.hasLoop = false;
      return true;
    }
    const { share } = this.deps.turn;
    if (!this.waitsForLoop && !share.isSpent) return true;
    if (this.waitsForLoop) return false;
    this.waitsForLoop = true;
    share.wait(this, () => {
      this.waitsForLoop = false;
      this.hasLoop = true;
      this.goOn();
      this.hasLoop = false;
    });
    return false;
  }

  /** Whether there is memory for what the request will need beside itself. */
  private hasRoomFor(kind: RequestKind): boolean {
    const { answers, large, requests } = this.deps.budget;
    if (kind === 'urgent' || this.begunIn === large) return true;
    const share = kind === 'alone' ? answers : requests;
    if (share.roomFor(kind === 'alone' ? 0 : this.memory.heldOf(requests)) > 0) return true;
    this.waitFor({ share, bytes: 1 });
    return false;
  }

  /** Charges a request before it is begun; null: there is no room. */
  private charge(byteCount: number): MemoryShare | null {
    const { large, requests } = this.deps.budget;
    if (this.begunIn === large && this.memory.take(large, byteCount)) return large;
    const share = this.memory.takeOf(requests, byteCount);
    if (share === null) this.waitFor({ share: requests, bytes: byteCount });
    return share;
  }

  /** False: not now. */
  private onFrame(frame: Buffer, ownedIn: MemoryShare | null): boolean {
    if (this.closed) return true;
    const kind = this.deps.kindOf(frame);
    if (!this.mayBegin(kind) || !this.hasRoomFor(kind)) return false;
    const overlaps = kind === 'overlapping';
    // What is owned was charged as it arrived; what overlaps is done with when the call returns.
    let byteCount = frame.length;
    if (ownedIn === null) byteCount = REQUEST_BYTES + (overlaps ? 0 : frame.length);
    const chargedTo = ownedIn ?? this.charge(byteCount);
    if (chargedTo === null) return false;
    this.lastActiveMs = this.deps.clock.monotonicMs();
    const slot: Slot = { answer: undefined, whenSent: null, chargedTo, byteCount };
    this.slots.push(slot);
    this.isAlone = !overlaps;
    this.isKept = !overlaps;
    this.beginning = slot;
    this.beginningBytes = frame.length;
    this.deps.onRequest(this, frame, ownedIn !== null, (answer, whenSent) =>
      this.onAnswer(slot, answer, whenSent),
    );
    this.beginning = null;
    if (ownedIn !== null && !this.isKept && slot.answer === undefined) {
      this.memory.release(ownedIn, byteCount);
      slot.byteCount = 0;
    }
    return true;
  }

  private onAnswer(slot: Slot, answer: Answer, whenSent: (() => void) | null): void {
    if (this.closed) {
      this.memory.trim(0);
      whenSent?.();
      return;
    }
    this.memory.release(slot.chargedTo as MemoryShare, slot.byteCount);
    let byteCount = 0;
    if (answer !== null) for (const { length } of answer) byteCount += length;
    slot.chargedTo = this.memory.answer(byteCount);
    slot.byteCount = byteCount;
    slot.answer = answer;
    slot.whenSent = whenSent;
    if (this.slots[0] === slot) this.deps.turn.schedule(TURN_SEND, this);
  }

  /** Sends every answer whose turn it is. */
  runInTurn(): void {
    const { socket } = this;
    if (this.closed || socket === null) return;
    let count = 0;
    const sent: Slot[] = [];
    socket.cork();
    for (const slot of this.slots) {
      const { answer } = slot;
      if (answer === undefined) break;
      count++;
      sent.push(slot);
      for (const chunk of answer ?? []) socket.write(chunk);
    }
    socket.uncork();
    this.slots.splice(0, count);
    if (this.slots.length === 0) this.isAlone = false;
    this.afterWrites(socket, sent);
    this.goOn();
  }

  /** What the system could not take at once still refers to our memory. */
  private afterWrites(socket: Socket, sent: readonly Slot[]): void {
    if (socket.writableLength === 0) return this.onSent(sent);
    let byteCount = 0;
    for (const slot of sent) byteCount += slot.byteCount;
    if (this.unsentBytes === 0) this.unsentSinceMs = this.deps.clock.monotonicMs();
    this.unsentBytes += byteCount;
    socket.write(NOTHING, () => {
      this.unsentBytes -= byteCount;
      this.unsentSinceMs = this.deps.clock.monotonicMs();
      this.onSent(sent);
      this.goOn();
    });
  }

  private onSent(sent: readonly Slot[]): void {
    for (const { byteCount, chargedTo, whenSent } of sent) {
      this.memory.release(chargedTo as MemoryShare, byteCount);
      whenSent?.();
    }
  }

  /** Takes up what had to wait, as far as nothing is in its way any more. */
  private goOn(): void {
    if (this.closed || this.muted !== null) return;
    const { budget } = this.deps;
    if (this.frames.isStopped && !this.frames.lacksRoom && !budget.isWaiting(this))
      this.tried(() => this.frames.again());
    this.resumeIfIdle();
  }

  private resumeIfIdle(): void {
    if (!this.paused || this.closed || this.muted !== null || this.frames.isStopped) return;
    this.paused = false;
    this.socket?.resume();
  }

  /** Reads nothing more for a while; what was answered goes out all the same. */
  mute(forMs: number): void {
    if (this.closed) return;
    this.muted?.[Symbol.dispose]();
    this.pause();
    this.muted = this.deps.clock.after(forMs, () => {
      this.muted = null;
      this.goOn();
    });
  }

  /** Nothing was asked since; who is not read from, and so cannot be seen to leave, is idle as well. */
  isIdleSince(ms: number): boolean {
    return this.lastActiveMs < ms && (this.slots.length === 0 || this.paused);
  }

  /** Whether it holds memory that others wait for, and is slower with it than anybody needs to be. */
  isStalled(nowMs: number): boolean {
    const { sinceMs, unfinishedBytes } = this.frames;
    const isLate = (since: number, byteCount: number) =>
      nowMs - since > STALL_MS + byteCount / STALL_BYTES_PER_MS;
    if (unfinishedBytes > 0 && !this.paused && isLate(sinceMs, unfinishedBytes)) return true;
    return this.unsentBytes > 0 && isLate(this.unsentSinceMs, this.unsentBytes);
  }

  close(cause: unknown): void {
    if (this.closed) return;
    this.closed = true;
    this.muted?.[Symbol.dispose]();
    this.socket?.destroy();
    this.frames.close();
    this.deps.budget.giveUp(this);
    this.memory.end();
    for (const { whenSent } of this.slots) whenSent?.();
    this.slots = [];
    for (const run of this.ends?.values() ?? []) run();
    this.ends = null;
    this.deps.onClose(this, cause);
  }
}
