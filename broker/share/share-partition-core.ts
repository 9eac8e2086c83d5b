/**
 * One partition as one share group sees it: which records are out with whom, which are done, which
 * may be given out (again). Pure. Source: KIP-932, KIP-1206, KIP-1222.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';

export interface ShareLimits {
  readonly lockMs: number;
  readonly deliveriesMax: number;
  readonly locksMax: number;
  /** Whether members may ask for more time with a record. */
  readonly renews: boolean;
}

export interface AckBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** One for all, or one for each offset. */
  readonly acknowledgeTypes: readonly number[];
}
export interface Acquired {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
}
export interface StateBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryState: number;
  readonly deliveryCount: number;
}

const GAP = 0;
const ACCEPT = 1;
const RELEASE = 2;
const REJECT = 3;
const RENEW = 4;

type State = 'available' | 'acquired' | 'acknowledged' | 'archived';
const CODE = { available: 0, acquired: 0, acknowledged: 2, archived: 4 } as const;

interface Delivery {
  state: State;
  count: number;
  memberId: string;
  lockedUntilMs: number;
}

export class SharePartitionCore {
  private readonly limits: () => ShareLimits;
  /** Everything below is done with. */
  startOffset: number;
  /** Nothing from here on was ever given out. */
  endOffset: number;
  private readonly deliveries = new Map<number, Delivery>();

  constructor(
    limits: () => ShareLimits,
    from: { startOffset: number; batches: readonly StateBatch[] },
  ) {
    this.limits = limits;
    this.startOffset = from.startOffset;
    this.endOffset = from.startOffset;
    for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of from.batches) {
      const state =
        deliveryState === 2 ? 'acknowledged' : deliveryState === 4 ? 'archived' : 'available';
      for (let offset = Math.max(firstOffset, this.startOffset); offset <= lastOffset; offset++) {
        this.deliveries.set(offset, {
          state,
          count: deliveryCount,
          memberId: '',
          lockedUntilMs: 0,
        });
      }
      this.endOffset = Math.max(this.endOffset, lastOffset + 1);
    }
    // What lies between was never given out.
    for (let offset = this.startOffset; offset < this.endOffset; offset++)
      if (!this.deliveries.has(offset)) this.deliveries.set(offset, fresh());
  }

  /** Nothing is out with anybody. */
  get isIdle(): boolean {
    for (const { state } of this.deliveries.values()) if (state === 'acquired') return false;
    return true;
  }

  /** Where to read next; null while as much is out as may be. */
  nextOffset(): number | null {
    for (let offset = this.startOffset; offset < this.endOffset; offset++)
      if (this.deliveries.get(offset)?.state === 'available') return offset;
    return this.endOffset - this.startOffset < this.limits().locksMax ? this.endOffset : null;
  }

  /**
   * There is nothing in [fromOffset, toOffset): compaction took it, or nobody may see it. What of it
   * is not out with anybody is done with. True where that changed anything.
   */
  skip(fromOffset: number, toOffset: number): boolean {
    let changed = false;
    const known = Math.min(toOffset, this.endOffset);
    for (let offset = Math.max(fromOffset, this.startOffset); offset < known; offset++) {
      const delivery = this.deliveries.get(offset);
      if (delivery?.state !== 'available') continue;
      delivery.state = 'archived';
      changed = true;
    }
    if (toOffset > this.endOffset && fromOffset <= this.endOffset) {
      if (this.deliveries.size === 0) this.startOffset = toOffset;
      // A hole that is too large for the window is passed when everything before it is done.
      else if (toOffset - this.startOffset > this.limits().locksMax) return changed;
      else
        for (let offset = this.endOffset; offset < toOffset; offset++)
          this.deliveries.set(offset, { ...fresh(), state: 'archived' });
      this.endOffset = toOffset;
      changed = true;
    }
    this.advance();
    return changed;
  }

  /** Gives out what is free in [firstOffset, lastOffset], which was read for the member. */
  acquire(
    memberId: string,
    range: { firstOffset: number; lastOffset: number; recordsMax: number },
    nowMs: number,
  ): Acquired[] {
    const { lockMs, locksMax } = this.limits();
    const acquired: Acquired[] = [];
    let left = range.recordsMax;
    const first = Math.max(range.firstOffset, this.startOffset);
    for (let offset = first; offset <= range.lastOffset && left > 0; offset++) {
      let delivery = this.deliveries.get(offset);
      if (delivery === undefined) {
        // Not past what may be out at once, nor past a hole that `skip` could not close yet.
        if (offset - this.startOffset >= locksMax || offset > this.endOffset) break;
        delivery = fresh();
        this.deliveries.set(offset, delivery);
        this.endOffset = Math.max(this.endOffset, offset + 1);
      }
      if (delivery.state !== 'available') continue;
      delivery.state = 'acquired';
      delivery.count++;
      delivery.memberId = memberId;
      delivery.lockedUntilMs = nowMs + lockMs;
      left--;
      const last = acquired.at(-1);
      if (last?.lastOffset === offset - 1 && last.deliveryCount === delivery.count)
        acquired[acquired.length - 1] = { ...last, lastOffset: offset };
      else
        acquired.push({ firstOffset: offset, lastOffset: offset, deliveryCount: delivery.count });
    }
    return acquired;
  }

  /** Takes a member's word for records that it has; all of them or none. */
  acknowledge(memberId: string, batches: readonly AckBatch[], nowMs: number): ErrorName {
    const steps: { delivery: Delivery; type: number }[] = [];
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      const count = lastOffset - firstOffset + 1;
      const each = acknowledgeTypes.length === count;
      if (count < 1 || (acknowledgeTypes.length !== 1 && !each)) return 'INVALID_REQUEST';
      const last = this.limits().renews ? RENEW : REJECT;
      if (acknowledgeTypes.some((type) => type < GAP || type > last)) return 'INVALID_REQUEST';
      // What fell behind the start meanwhile is done with; beyond the end the first one refuses.
      const first = Math.max(firstOffset, this.startOffset);
      for (let offset = first; offset <= lastOffset; offset++) {
        const type = acknowledgeTypes[each ? offset - firstOffset : 0] as number;
        const delivery = this.deliveries.get(offset);
        if (delivery?.state !== 'acquired' || delivery.memberId !== memberId)
          return 'INVALID_RECORD_STATE';
        steps.push({ delivery, type });
      }
    }
    for (const { delivery, type } of steps) {
      if (type === ACCEPT) delivery.state = 'acknowledged';
      else if (type === REJECT || type === GAP) delivery.state = 'archived';
      else if (type === RELEASE) this.release(delivery);
      else delivery.lockedUntilMs = nowMs + this.limits().lockMs;
    }
    this.advance();
    return 'NONE';
  }

  private release(delivery: Delivery): void {
    delivery.state = delivery.count >= this.limits().deliveriesMax ? 'archived' : 'available';
    delivery.memberId = '';
  }

  /**
   * Gives back what a member has; true where anything changed. What a member that left in order has not
   * looked at does not count as delivered; of one that is gone nobody knows, and a record that ends its
   * readers must come to an end too.
   */
  releaseAll(memberId: string, { isGone } = { isGone: false }): boolean {
    let changed = false;
    for (const delivery of this.deliveries.values()) {
      if (delivery.state !== 'acquired' || delivery.memberId !== memberId) continue;
      if (isGone) this.release(delivery);
      else {
        delivery.count = Math.max(delivery.count - 1, 0);
        delivery.state = 'available';
      }
      changed = true;
    }
    this.advance();
    return changed;
  }

  /** Takes back what was out for too long; true where anything changed. */
  expireLocks(nowMs: number): boolean {
    let changed = false;
    for (const delivery of this.deliveries.values()) {
      if (delivery.state !== 'acquired' || delivery.lockedUntilMs > nowMs) continue;
      this.release(delivery);
      changed = true;
    }
    if (changed) this.advance();
    return changed;
  }

  /** The log now begins later. */
  onLogStart(offset: number): void {
    if (offset <= this.startOffset) return;
    for (const known of this.deliveries.keys()) if (known < offset) this.deliveries.delete(known);
    this.startOffset = offset;
    this.endOffset = Math.max(this.endOffset, offset);
    this.advance();
  }

  private advance(): void {
    while (this.startOffset < this.endOffset) {
      const state = this.deliveries.get(this.startOffset)?.state;
      if (state !== 'acknowledged' && state !== 'archived') return;
      this.deliveries.delete(this.startOffset);
      this.startOffset++;
    }
  }

  /** What is to be written down: neighbours that are alike together. */
  batches(): StateBatch[] {
    const found: StateBatch[] = [];
    for (let offset = this.startOffset; offset < this.endOffset; offset++) {
      const { state, count } = this.deliveries.get(offset) ?? fresh();
      const deliveryState = CODE[state];
      const last = found.at(-1);
      if (last?.deliveryState === deliveryState && last.deliveryCount === count)
        found[found.length - 1] = { ...last, lastOffset: offset };
      else
        found.push({
          firstOffset: offset,
          lastOffset: offset,
          deliveryState,
          deliveryCount: count,
        });
    }
    return found;
  }
}

function fresh(): Delivery {
  return { state: 'available', count: 0, memberId: '', lockedUntilMs: 0 };
}
