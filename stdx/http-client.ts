/** The HTTP calls that a broker makes: keep-alive, deadlines, streamed answers. */
import http from 'node:http';
import https from 'node:https';
import { systemClock } from './clock.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly body: string;
}

export interface HttpStream {
  readonly status: number;
  /** Lines of the body as they come; ends when the connection does. */
  readonly lines: AsyncIterable<string>;
}

export interface HttpClientOptions {
  /** http://host:port or https://host:port */
  readonly baseUrl: string;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export class HttpClient implements Disposable {
  private readonly base: URL;
  private readonly agent: http.Agent;
  private readonly send: typeof http.request;

  constructor({ baseUrl, ca, cert, key }: HttpClientOptions) {
    this.base = new URL(baseUrl);
    const secure = this.base.protocol === 'https:';
    const options = { keepAlive: true, maxSockets: 64, noDelay: true };
    this.agent = secure ? new https.Agent({ ...options, ca, cert, key }) : new http.Agent(options);
    this.send = (secure ? https.request : http.request) as typeof http.request;
  }

  private open(
    { method, path, headers, body }: HttpRequest,
    signal: AbortSignal,
  ): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = this.send(
        {
          host: this.base.hostname,
          port: this.base.port,
          path,
          method,
          agent: this.agent,
          headers: {
            ...headers,
            ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          },
          signal,
        },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  /** @throws Error where no whole answer came in time. */
  async call(request: HttpRequest): Promise<HttpResponse> {
    const abort = new AbortController();
    using _ = deadline(request, abort);
    try {
      const response = await this.open(request, abort.signal);
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      return { status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') };
    } catch (cause) {
      throw abort.signal.aborted ? abort.signal.reason : cause;
    }
  }

  async stream(request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    const abort = new AbortController();
    // Only until the answer begins: it may go on for long.
    using _ = deadline(request, abort);
    const response = await this.open(request, AbortSignal.any([signal, abort.signal]));
    return { status: response.statusCode ?? 0, lines: linesOf(response) };
  }

  [Symbol.dispose](): void {
    this.agent.destroy();
  }
}

function deadline({ timeoutMs }: HttpRequest, abort: AbortController): Disposable {
  return systemClock.after(timeoutMs, () =>
    abort.abort(new Error(`no answer within ${timeoutMs} ms`)),
  );
}

async function* linesOf(body: http.IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  body.setEncoding('utf8');
  for await (const part of body) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) if (line !== '') yield line;
  }
}
