/** For lines that whoever sends requests can bring about: the first of a kind, then one a minute that counts. */
import type { Clock } from './clock.ts';
import type { LogFields, Logger } from './logger.ts';

const EVERY_MS = 60_000;

interface Kind {
  lastMs: number;
  /** Not written since then. */
  unsaid: number;
}

export class SparingLogger {
  private readonly clock: Pick<Clock, 'monotonicMs'>;
  private readonly logger: Pick<Logger, 'error'>;
  /** By message and API: constants of the program, so that they are few. */
  private readonly kinds = new Map<string, Kind>();

  constructor(clock: Pick<Clock, 'monotonicMs'>, logger: Pick<Logger, 'error'>) {
    this.clock = clock;
    this.logger = logger;
  }

  error(message: string, fields: LogFields): void {
    const nowMs = this.clock.monotonicMs();
    const name = `${message} ${fields.api ?? ''}`;
    const kind = this.kinds.get(name);
    if (kind !== undefined && nowMs - kind.lastMs < EVERY_MS) {
      kind.unsaid++;
      return;
    }
    const unsaid = kind?.unsaid ?? 0;
    this.kinds.set(name, { lastMs: nowMs, unsaid: 0 });
    this.logger.error(message, unsaid === 0 ? fields : { ...fields, more: unsaid });
  }
}
