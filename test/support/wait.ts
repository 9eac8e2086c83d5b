/** Waiting in tests: for a time, and for something to hold. */

export const sleepMs = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Waits until the check holds. @throws Error with the label after the timeout. */
export async function until(
  label: string,
  timeoutMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    if (await holds()) return;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${label}`);
    await sleepMs(25);
  }
}
