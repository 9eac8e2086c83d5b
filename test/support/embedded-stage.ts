/** An embedded API alone, and requests to it as any program may send them. */
import http from 'node:http';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import { EmbeddedServer } from '../../kube/embedded/server.ts';
import { Store } from '../../kube/embedded/store.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';

export const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quiet,
};

export interface Answer {
  readonly status: number;
  readonly body: any;
}

export interface Request {
  readonly method?: string;
  readonly path: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON. */
  readonly body?: object | string | Buffer;
  /** Null: none is shown. */
  readonly token?: string | null;
}

export class EmbeddedStage implements AsyncDisposable {
  readonly token = systemChance.bytes(32).toString('base64url');
  readonly store = new Store(':memory:');
  readonly api = new EmbeddedApi({ store: this.store, clock: systemClock, chance: systemChance });
  readonly server = new EmbeddedServer({
    api: this.api,
    clock: systemClock,
    // What fails by a bug is told apart by its status.
    logger: quiet,
    token: this.token,
  });
  port = 0;

  static async open(): Promise<EmbeddedStage> {
    const stage = new EmbeddedStage();
    stage.port = await stage.server.listen('127.0.0.1', 0);
    return stage;
  }

  ask(of: Request): Promise<Answer> {
    const { method = 'GET', path, body, headers = {}, token = this.token } = of;
    const text =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
        ? body
        : JSON.stringify(body);
    const type = of.type ?? (body === undefined ? undefined : 'application/json');
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          method,
          agent: false,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(type === undefined ? {} : { 'content-type': type }),
            ...headers,
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const answer = Buffer.concat(parts).toString();
            const isJson = response.headers['content-type'] === 'application/json';
            resolve({
              status: response.statusCode ?? 0,
              body: isJson ? JSON.parse(answer) : answer,
            });
          });
        },
      );
      request.on('error', reject);
      request.end(text);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.store[Symbol.dispose]();
  }
}
