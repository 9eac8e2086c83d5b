import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InOrder } from './in-order.ts';

test('what came first is run first, and others do not wait for it', async () => {
  const order = new InOrder();
  const [a, b] = [{}, {}];
  const partition = {};
  const ran: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const note = (text: string) => void ran.push(text);
  const failed = (cause: unknown) => note(`failed: ${String(cause)}`);
  order.run({ connection: a, partition }, promise, note, failed);
  order.run({ connection: a, partition }, Promise.reject('second'), note, failed);
  order.run({ connection: b, partition }, Promise.resolve('other connection'), note, failed);
  order.run({ connection: a, partition: {} }, Promise.resolve('other partition'), note, failed);
  await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(ran.toSorted(), ['other connection', 'other partition']);
  assert.ok(order.isWaiting(a, partition));
  assert.ok(!order.isWaiting(b, partition));
  resolve('first');
  await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(ran.slice(2), ['first', 'failed: second']);
  assert.ok(!order.isWaiting(a, partition));
});
