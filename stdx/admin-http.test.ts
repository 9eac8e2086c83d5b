import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { serveAdmin } from './admin-http.ts';

async function* endless(made: { pieces: number }): AsyncGenerator<string> {
  for (;;) {
    made.pieces++;
    yield 'x'.repeat(64 * 1024);
    await wait(1);
  }
}

function get(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      })
      .once('error', reject);
  });
}

/** Asks for metrics and reads nothing of them. */
function hang(port: number): Promise<http.ClientRequest> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path: '/metrics', host: '127.0.0.1', agent: false });
    request.once('response', (response) => {
      response.pause();
      resolve(request);
    });
    request.on('error', reject);
  });
}

test('probes are answered while metrics are made, without end and for somebody who does not read', async () => {
  const made = { pieces: 0 };
  const body = () => ({ contentType: 'text/plain', body: endless(made) });
  await using admin = await serveAdmin(
    { metrics: body, live: () => null, ready: () => 'not yet' },
    { host: '127.0.0.1', port: 0 },
  );
  const readers = [];
  for (let i = 0; i < 4; i++) readers.push(await hang(admin.port));
  assert.equal(await get(admin.port, '/livez'), 200);
  assert.equal(await get(admin.port, '/readyz'), 503);
  assert.equal(await get(admin.port, '/metrics'), 503, 'a fifth reader is refused');
  for (let before = -1; before !== made.pieces; await wait(50)) before = made.pieces;
  assert.ok(made.pieces < 4 * 200, 'no more is made than is read');
  for (const one of readers) one.destroy();
  for (let i = 0; i < 100 && (await get(admin.port, '/livez')) === 200; i++) {
    const again = await new Promise<number>((resolve) => {
      const request = http.get(
        { port: admin.port, path: '/metrics', host: '127.0.0.1', agent: false },
        (response) => {
          resolve(response.statusCode ?? 0);
          request.destroy();
        },
      );
      request.on('error', () => {});
    });
    if (again === 200) return;
    await wait(20);
  }
  assert.fail('readers that went away make room for others');
});

test('metrics that cannot be made are an answer, and the next ones are asked for all the same', async () => {
  await using admin = await serveAdmin(
    {
      metrics: () => {
        throw new Error('no');
      },
      live: () => null,
      ready: () => null,
    },
    { host: '127.0.0.1', port: 0 },
  );
  for (let i = 0; i < 6; i++) assert.equal(await get(admin.port, '/metrics'), 500);
});
