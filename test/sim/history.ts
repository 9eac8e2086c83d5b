/**
 * What clients did and saw, and what must hold of it. Pure. The anomalies are those that Jepsen
 * looks for in Kafka: lost writes, offsets that hold two values, duplicates, and order that breaks.
 */

export interface Operation {
  readonly producer: string;
  readonly partition: number;
  readonly values: readonly string[];
  readonly beganMs: number;
  outcome: 'open' | 'acked' | 'failed' | 'unknown';
  /** It was sent at least once: it may be there even if it failed. */
  isDoubtful: boolean;
  baseOffset: number;
  endedMs: number;
  error: string;
}

export class History {
  readonly operations: Operation[] = [];
  /** By partition, then by offset. */
  private readonly values = new Map<number, Map<number, string>>();
  readonly anomalies: string[] = [];
  reads = 0;
  /** The longest that a producer waited for an answer. */
  longestGapMs = 0;

  begin(producer: string, partition: number, values: readonly string[], nowMs: number): Operation {
    const operation: Operation = {
      producer,
      partition,
      values,
      beganMs: nowMs,
      outcome: 'open',
      isDoubtful: false,
      baseOffset: -1,
      endedMs: -1,
      error: '',
    };
    this.operations.push(operation);
    return operation;
  }

  acked(operation: Operation, baseOffset: number, nowMs: number): void {
    operation.outcome = 'acked';
    operation.baseOffset = baseOffset;
    operation.endedMs = nowMs;
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - operation.beganMs);
    if (baseOffset < 0) return;
    for (const [i, value] of operation.values.entries())
      this.put('an acknowledgement', operation.partition, baseOffset + i, value);
  }

  seen(
    reader: string,
    partition: number,
    { offset, value }: { offset: number; value: string },
    nowMs: number,
  ): void {
    this.reads++;
    this.put(`${reader} at ${(nowMs / 1000).toFixed(3)}`, partition, offset, value);
  }

  anomaly(text: string): void {
    if (this.anomalies.length < 20) this.anomalies.push(text);
  }

  /** One offset, one value, for whoever looks and whenever. */
  private put(who: string, partition: number, offset: number, value: string): void {
    const known = this.valuesOf(partition);
    const before = known.get(offset);
    if (before === undefined) known.set(offset, value);
    else if (before !== value)
      this.anomaly(
        `inconsistent offset: ${partition}/${offset} was ${before}, and is ${value} for ${who}`,
      );
  }

  private valuesOf(partition: number): Map<number, string> {
    let known = this.values.get(partition);
    if (known === undefined) {
      known = new Map();
      this.values.set(partition, known);
    }
    return known;
  }

  /** What is in the log in the end is held against everything that was promised. */
  judge(partition: number, final: readonly { offset: number; value: string }[]): void {
    const at = new Map<string, number>();
    let before = -1;
    for (const { offset, value } of final) {
      this.put('the end', partition, offset, value);
      if (offset <= before) this.anomaly(`offsets go back: ${partition}/${offset} after ${before}`);
      before = offset;
      const twice = at.get(value);
      if (twice !== undefined)
        this.anomaly(
          `duplicate: ${value} is at ${partition}/${twice} and at ${partition}/${offset}`,
        );
      at.set(value, offset);
    }
    const last = new Map<string, number>();
    for (const operation of this.operations) {
      if (operation.partition !== partition) continue;
      const offsets = operation.values.map((value) => at.get(value));
      const present = offsets.filter((offset) => offset !== undefined);
      if (operation.outcome === 'acked' && present.length < offsets.length)
        this.anomaly(
          `lost write: ${operation.values.join()} in ${partition} was acknowledged at ` +
            `${(operation.endedMs / 1000).toFixed(3)} at offset ${operation.baseOffset}`,
        );
      if (present.length > 0 && present.length < offsets.length)
        this.anomaly(
          `torn batch: of ${operation.values.join()} in ${partition} only ${present.length}`,
        );
      if (operation.outcome === 'failed' && present.length > 0)
        this.anomaly(`${operation.values.join()} in ${partition} failed for good and is there`);
      for (const offset of present) {
        if (offset <= (last.get(operation.producer) ?? -1))
          this.anomaly(
            `order: ${operation.values.join()} in ${partition} is before what came first`,
          );
        last.set(operation.producer, offset);
      }
    }
    // What somebody read must be there still.
    const ends = final.at(-1)?.offset ?? -1;
    for (const [offset, value] of this.valuesOf(partition))
      if (at.get(value) === undefined)
        this.anomaly(
          `unseen: ${partition}/${offset} was ${value}; it is gone (the log ends at ${ends})`,
        );
  }

  get counts() {
    const of = (outcome: Operation['outcome']) =>
      this.operations.filter((one) => one.outcome === outcome).length;
    return {
      acked: of('acked'),
      failed: of('failed'),
      unknown: of('unknown'),
      open: of('open'),
      reads: this.reads,
    };
  }
}
