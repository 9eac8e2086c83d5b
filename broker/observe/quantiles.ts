/** A sample of recent values for quantiles, in constant memory. Pure. */

const SAMPLE = 1024;

export class Sample {
  private readonly values = new Float64Array(SAMPLE);
  count = 0;
  sum = 0;

  add(value: number): void {
    this.values[this.count % SAMPLE] = value;
    this.count++;
    this.sum += value;
  }

  /** Quantiles of the last values, 0 where there are none. */
  quantiles(of: readonly number[]): number[] {
    const length = Math.min(this.count, SAMPLE);
    const sorted = this.values.slice(0, length).sort();
    return of.map((q) =>
      length === 0 ? 0 : (sorted[Math.min(length - 1, Math.floor(q * length))] as number),
    );
  }
}
