/** Watches: what they tell, how many there may be, and what becomes of who does not read. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { systemClock } from '../../stdx/clock.ts';
import { quiet } from '../../test/support/embedded-stage.ts';
import type { KubeObject } from '../objects.ts';
import { ApiError } from './api-error.ts';
import { Store } from './store.ts';
import { Watches } from './watches.ts';

/** A client that reads what it wants to. */
class Client extends EventEmitter {
  lines: { type: string; object: KubeObject }[] = [];
  writableLength = 0;
  destroyed = false;
  writableEnded = false;
  reads: boolean;

  constructor(reads: boolean) {
    super();
    this.reads = reads;
  }
  writeHead(): void {}
  flushHeaders(): void {}
  write(line: string): void {
    if (this.writableEnded) throw new Error('written after the end');
    this.lines.push(JSON.parse(line));
    if (!this.reads) this.writableLength += line.length;
  }
  end(line?: string): void {
    if (line !== undefined) this.write(line);
    this.writableEnded = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function stage(of: { watchesMax?: number; waitingBytesMax?: number } = {}) {
  const store = new Store(':memory:');
  const watches = new Watches({
    store,
    clock: systemClock,
    logger: quiet,
    ...of,
  });
  const start = (reads: boolean, more: { from?: number; shown?: () => object } = {}) => {
    const client = new Client(reads);
    watches.start(client as unknown as ServerResponse, {
      collection: '/configmaps',
      selects: () => true,
      shown: more.shown ?? ((object) => object),
      from: more.from ?? null,
      bookmark: null,
      seconds: 60,
    });
    return client;
  };
  const put = (name: string, data = '') =>
    store.put('/configmaps', `default/${name}`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default' },
      data,
    } as KubeObject);
  return { store, watches, start, put };
}

test('a watch tells what is there and what comes, and one from a version only what came after', () => {
  const { store, watches, start, put } = stage();
  put('a');
  const { version } = store;
  const all = start(true);
  put('b');
  const later = start(true, { from: version });
  store.remove('/configmaps', 'default/a');
  const told = ({ lines }: Client) =>
    lines.map(({ type, object }) => `${type} ${object.metadata.name}`);
  assert.deepEqual(told(all), ['ADDED a', 'ADDED b', 'DELETED a']);
  assert.deepEqual(told(later), ['ADDED b', 'DELETED a']);
  watches[Symbol.dispose]();
  assert.equal(watches.count, 0);
});

test('there is a most of watches, and one that ends makes room', () => {
  const { watches, start } = stage({ watchesMax: 2 });
  const first = start(true);
  start(true);
  assert.throws(
    () => start(true),
    (cause) => cause instanceof ApiError && cause.status === 429,
  );
  first.destroy();
  start(true);
  watches[Symbol.dispose]();
});

test('who does not read is cut off when too much waits, and nobody else is', () => {
  const { watches, start, put } = stage({ waitingBytesMax: 2 * 1024 * 1024 });
  const slow = start(false);
  const good = start(true);
  for (let i = 0; i < 40; i++) put(`m${i}`, 'x'.repeat(100_000));
  assert.equal(slow.destroyed, true);
  assert.equal(good.destroyed, false);
  assert.equal(good.lines.length, 40);
  watches[Symbol.dispose]();
});

test('nothing is written to a watch whose time is over', () => {
  const { watches, start, put } = stage();
  const client = start(true);
  client.end();
  put('late');
  assert.equal(client.lines.length, 0);
  watches[Symbol.dispose]();
});

test('an object that one client cannot be shown ends its watch, not the write', () => {
  const { watches, start, put } = stage();
  const odd = start(true, {
    shown: () => {
      throw new TypeError('what is this');
    },
  });
  const good = start(true);
  put('a');
  assert.equal(odd.destroyed, true);
  assert.equal(good.lines.length, 1);
  watches[Symbol.dispose]();
});
