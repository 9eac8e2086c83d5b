/**
 * Watches of clients: what happens to objects, as lines of a response that does not end. How many there
 * may be is bounded, and so is what waits for clients that do not read: who falls behind is cut off and
 * looks again, as with a real API server.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { KubeObject } from '../objects.ts';
import { ApiError, statusOf } from './api-error.ts';
import type { Store, StoredEvent } from './store.ts';

const WATCHES_MAX = 2_048;
/** Of all watches together. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
const BOOKMARK_MS = 30_000;
const LIFE_SECONDS = 3_600;

export interface WatchOrder {
  readonly collection: string;
  /** Whether an object is one of those that are watched. */
  readonly selects: (object: KubeObject) => boolean;
  /** What is sent of an object, `first` the first time. */
  readonly shown: (object: KubeObject, first: boolean) => object;
  /** From where on; null: from all that there is now. */
  readonly from: number | null;
  readonly bookmark: ((resourceVersion: string) => object) | null;
  readonly seconds: number;
}

export interface WatchesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly watchesMax?: number;
  readonly waitingBytesMax?: number;
}

export class Watches implements Disposable {
  private readonly deps: WatchesDeps;
  private readonly open = new Set<Watch>();

  constructor(deps: WatchesDeps) {
    this.deps = deps;
  }

  get count(): number {
    return this.open.size;
  }

  /** @throws ApiError 429 where there are too many. */
  start(response: ServerResponse, order: WatchOrder): void {
    const { store, clock, logger, watchesMax = WATCHES_MAX } = this.deps;
    if (this.open.size >= watchesMax)
      throw new ApiError(429, 'TooManyRequests', `there are ${watchesMax} watches already`);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const missed = order.from === null ? null : store.since(order.from);
    if (order.from !== null && missed === null) {
      const gone = new ApiError(410, 'Expired', `too old resource version: ${order.from}`);
      response.end(line('ERROR', statusOf(gone)));
      return;
    }
    const watch = new Watch(response, order, () => this.cutSlowest());
    const listening = store.listen((event) => {
      try {
        watch.onEvent(event);
      } catch (cause) {
        // What cannot be shown to one client is neither the writer's fault nor other clients'.
        logger.error('a watch ended for what it could not show', { cause });
        watch.cut();
      }
    });
    const { bookmark } = order;
    const bookmarks =
      bookmark === null
        ? null
        : clock.every(BOOKMARK_MS, () => watch.write('BOOKMARK', bookmark(String(store.version))));
    const seconds = order.seconds > 0 ? Math.min(order.seconds, LIFE_SECONDS) : LIFE_SECONDS;
    const timer = clock.after(seconds * 1000, () => watch.end());
    this.open.add(watch);
    response.on('close', () => {
      this.open.delete(watch);
      listening[Symbol.dispose]();
      bookmarks?.[Symbol.dispose]();
      timer[Symbol.dispose]();
    });
    if (missed !== null) for (const event of missed) watch.onEvent(event);
    else
      for (const object of store.list(order.collection))
        if (order.selects(object)) watch.send('ADDED', object);
  }

  /** Called for each line: what waits is little nearly always, and known without asking everybody. */
  private cutSlowest(): void {
    const { waitingBytesMax = WAITING_BYTES_MAX } = this.deps;
    let sum = 0;
    let slowest: Watch | null = null;
    for (const watch of this.open) {
      sum += watch.waitingByteCount;
      if (slowest === null || watch.waitingByteCount > slowest.waitingByteCount) slowest = watch;
    }
    if (sum > waitingBytesMax) slowest?.cut();
  }

  [Symbol.dispose](): void {
    for (const watch of this.open) watch.cut();
  }
}

const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;
/** Below it nobody is asked who is slow. */
const UNREMARKABLE_BYTES = 256 * 1024;

class Watch {
  private readonly response: ServerResponse;
  private readonly order: WatchOrder;
  private readonly onBacklog: () => void;
  private first = true;

  constructor(response: ServerResponse, order: WatchOrder, onBacklog: () => void) {
    this.response = response;
    this.order = order;
    this.onBacklog = onBacklog;
    // A client that is gone is told apart by 'close'.
    response.on('error', () => {});
  }

  get waitingByteCount(): number {
    return this.response.destroyed ? 0 : this.response.writableLength;
  }

  onEvent({ type, collection, object, before }: StoredEvent): void {
    if (collection !== this.order.collection) return;
    // An object that no longer matches is gone for this watcher, one that matches now is new.
    const was = before !== null && this.order.selects(before);
    const is = type !== 'DELETED' && this.order.selects(object);
    if (is) this.send(was ? 'MODIFIED' : 'ADDED', object);
    else if (was) this.send('DELETED', object);
  }

  send(type: string, object: KubeObject): void {
    const { first } = this;
    this.first = false;
    this.write(type, this.order.shown(object, first));
  }

  write(type: string, object: object): void {
    if (this.response.destroyed || this.response.writableEnded) return;
    this.response.write(line(type, object));
    if (this.response.writableLength > UNREMARKABLE_BYTES) this.onBacklog();
  }

  end(): void {
    this.response.end();
  }

  cut(): void {
    this.response.destroy();
  }
}
