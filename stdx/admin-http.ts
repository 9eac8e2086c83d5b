/** The small HTTP server of every process: metrics and the two answers that kubelets ask for. */
import http from 'node:http';

export interface AdminRoutes {
  /** Prometheus text. */
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Null: yes; else why not. */
  readonly live: () => string | null;
  readonly ready: () => string | null;
  /** Further pages by path. */
  readonly pages?: Readonly<Record<string, () => { contentType: string; body: string }>>;
}

export async function serveAdmin(
  routes: AdminRoutes,
  address: { host: string; port: number },
): Promise<AsyncDisposable & { port: number }> {
  const answer = (response: http.ServerResponse, why: string | null) => {
    response.writeHead(why === null ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(why === null ? 'ok\n' : `${why}\n`);
  };
  const server = http.createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    const page = routes.pages?.[path];
    if (path === '/livez') answer(response, routes.live());
    else if (path === '/readyz') answer(response, routes.ready());
    else if (path === '/metrics') {
      routes.metrics().then(
        ({ contentType, body }) => {
          response.writeHead(200, { 'content-type': contentType });
          response.end(body);
        },
        (cause: unknown) => {
          response.writeHead(500);
          response.end(`${cause}\n`);
        },
      );
    } else if (page !== undefined) {
      const { contentType, body } = page();
      response.writeHead(200, { 'content-type': contentType });
      response.end(body);
    } else {
      response.writeHead(404);
      response.end('not found: there are /metrics, /livez and /readyz\n');
    }
  });
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
