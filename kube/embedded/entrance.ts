/**
 * Who is let in. The API runs commands on the machine that it is on, so nothing that can reach a local port
 * may use it for that alone: neither another user of the machine, nor a page in the browser of this one.
 * Programs show the token of the kubeconfig; what a browser sends on behalf of a page is refused whatever it
 * shows, and so is a name for this machine that somebody else's DNS made up.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from './api-error.ts';

/** What probes ask, who have no token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz', '/healthz']);
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

export class Entrance {
  private readonly token: Buffer;
  /** By which names this server may be called. */
  private readonly names: Set<string>;

  /** `token`: what every program must show. */
  constructor(token: string) {
    if (token.length < 32) throw new Error('a token of the embedded API must not be guessable');
    this.token = digest(token);
    this.names = new Set(LOOPBACK_NAMES);
  }

  /** One more address on which it listens. */
  answersTo(host: string): void {
    this.names.add(host.includes(':') ? `[${host}]` : host);
  }

  /** @throws ApiError 401 or 403 where a request is not let in. */
  check({ method, path, headers }: Asked): void {
    const host = (headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
    if (!this.names.has(host))
      throw new ApiError(403, 'Forbidden', `this server is not called ${JSON.stringify(host)}`);
    if (headers.origin !== undefined)
      throw new ApiError(403, 'Forbidden', 'pages of a browser are not served');
    if (OPEN_PATHS.has(path) && (method === 'GET' || method === 'HEAD')) return;
    const shown = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    // Digests have one length, and comparing them tells nothing about the token.
    if (!timingSafeEqual(digest(shown), this.token))
      throw new ApiError(401, 'Unauthorized', 'Unauthorized: show the token of the kubeconfig');
  }
}
