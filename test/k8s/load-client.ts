/** Runs in a pod: producers and a group beside a cluster, asked for a verdict by HTTP. */
import http from 'node:http';
import { kafkaAt, Load } from '../support/load.ts';

const kafka = kafkaAt((process.env.BOOTSTRAP ?? '').split(','));
let load: Load | null = null;

async function answer(path: string): Promise<object> {
  if (path === '/start') {
    load = await Load.start(kafka);
    return { started: true };
  }
  if (path === '/end') {
    const current = load;
    load = null;
    return (await current?.end()) ?? { started: false };
  }
  return { running: load !== null };
}

http
  .createServer((request, response) => {
    answer(request.url ?? '/').then(
      (body) => response.end(JSON.stringify(body)),
      (cause: unknown) => {
        response.writeHead(500);
        response.end(JSON.stringify({ error: (cause as Error).message.slice(0, 2000) }));
      },
    );
  })
  .listen(8080);
