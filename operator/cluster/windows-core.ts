/** Maintenance windows: whether one is open, and when the next one opens. Pure. */
import { Cron } from 'croner';
import type { MaintenanceWindow } from '../../kube/kafka-objects.ts';

export interface WindowState {
  readonly open: boolean;
  /** ISO time of the next opening; null where it is open, or never opens again. */
  readonly opensAt: string | null;
}

/** @throws SyntaxError with a sentence where a schedule or a time zone cannot be read. */
export function windowState(
  windows: readonly MaintenanceWindow[] | undefined,
  now: string,
): WindowState {
  if (windows === undefined || windows.length === 0) return { open: true, opensAt: null };
  const nowMs = Date.parse(now);
  let next = Number.POSITIVE_INFINITY;
  for (const { schedule, durationMinutes, timeZone = 'UTC' } of windows) {
    const from = (ms: number) => {
      try {
        return new Cron(schedule, { timezone: timeZone, paused: true })
          .nextRun(new Date(ms))
          ?.getTime();
      } catch (cause) {
        throw new SyntaxError(
          `maintenance window "${schedule}" (${timeZone}) must be five fields of cron and a known time zone: ${(cause as Error).message}`,
        );
      }
    };
    // Open if its last opening was less than its duration ago.
    const opened = from(nowMs - durationMinutes * 60_000);
    if (opened !== undefined && opened <= nowMs) return { open: true, opensAt: null };
    next = Math.min(next, opened ?? next);
  }
  return {
    open: false,
    opensAt: Number.isFinite(next) ? new Date(next).toISOString().replace(/\.\d+Z$/, 'Z') : null,
  };
}
