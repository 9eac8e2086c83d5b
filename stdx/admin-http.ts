/**
 * The small HTTP server of every process: metrics and the two answers that kubelets ask for. The latter
 * are given at any time: metrics are sent as they are made, in pieces, to few at once, and to nobody who
 * does not read them.
 */
import { once } from 'node:events';
import http from 'node:http';

export interface AdminRoutes {
  /** Prometheus text, whole or in pieces. */
  readonly metrics: () => {
    contentType: string;
    body: AsyncIterable<string> | Promise<string>;
  };
  /** Null: yes; else why not. */
  readonly live: () => string | null;
  readonly ready: () => string | null;
  /** Further pages by path. */
  readonly pages?: Readonly<Record<string, () => { contentType: string; body: string }>>;
}

const SCRAPES_MAX = 4;
/** A connection on which nothing moves for so long is closed. */
const IDLE_MS = 30_000;

export async function serveAdmin(
  routes: AdminRoutes,
  address: { host: string; port: number },
): Promise<AsyncDisposable & { port: number }> {
  const answer = (response: http.ServerResponse, why: string | null) => {
    response.writeHead(why === null ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(why === null ? 'ok\n' : `${why}\n`);
  };
  let scrapes = 0;
  const scrape = async (response: http.ServerResponse) => {
    if (scrapes >= SCRAPES_MAX) return answer(response, 'metrics are being read by others');
    scrapes++;
    try {
      await send(response, routes.metrics());
    } catch (cause) {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(`${cause}\n`);
    } finally {
      scrapes--;
    }
  };
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    const page = routes.pages?.[path];
    if (path === '/livez') answer(response, routes.live());
    else if (path === '/readyz') answer(response, routes.ready());
    else if (path === '/metrics') void scrape(response);
    else if (page !== undefined) {
      const { contentType, body } = page();
      response.writeHead(200, { 'content-type': contentType });
      response.end(body);
    } else {
      response.writeHead(404);
      response.end('not found: there are /metrics, /livez and /readyz\n');
    }
  });
  server.setTimeout(IDLE_MS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => resolve());
  });
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As fast as it is read; ends with the connection. */
async function send(
  response: http.ServerResponse,
  { contentType, body }: ReturnType<AdminRoutes['metrics']>,
): Promise<void> {
  if (body instanceof Promise) {
    const text = await body;
    response.writeHead(200, { 'content-type': contentType }).end(text);
    return;
  }
  const isGone = () => response.destroyed || response.writableEnded;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(200, { 'content-type': contentType });
  for await (const text of body) {
    if (isGone()) return;
    if (text === '' || response.write(text)) continue;
    try {
      await once(response, 'drain', { signal: gone.signal });
    } catch {
      return; // Whoever asked has gone.
    }
  }
  response.end();
}
