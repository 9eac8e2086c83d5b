/** A certificate and its key in a folder, read again when they change: whoever renews them restarts nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from './clock.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const LOOK_MS = 5_000;

export class CertificateFiles implements Disposable {
  private readonly folder: string;
  private readonly timer: Disposable;
  current: Certificate;

  /** @throws Error where a file is not there. */
  constructor(clock: Clock, folder: string, onChange: (certificate: Certificate) => void) {
    this.folder = folder;
    this.current = this.read();
    this.timer = clock.every(LOOK_MS, () => {
      let found: Certificate;
      try {
        found = this.read();
      } catch {
        // Between two versions of the files: the next look finds both.
        return;
      }
      if (found.cert === this.current.cert && found.key === this.current.key) return;
      this.current = found;
      onChange(found);
    });
  }

  private read(): Certificate {
    const text = (name: string) => readFileSync(join(this.folder, name), 'utf8');
    return { cert: text('tls.crt'), key: text('tls.key') };
  }

  [Symbol.dispose](): void {
    this.timer[Symbol.dispose]();
  }
}
