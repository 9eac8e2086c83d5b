import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OTHER, TopicTraffic } from './topic-traffic.ts';

test('a name that is no topic gets no row: however many of them are asked for, they share one', () => {
  const traffic = new TopicTraffic((name) => name === 'orders');
  for (let i = 0; i < 50_000; i++) traffic.of(`made-up-${i}`).failedProduce++;
  traffic.of('orders').failedProduce += 2;
  assert.deepEqual(
    [...traffic.rows('failedProduce')],
    [
      [null, 50_002],
      ['orders', 2],
      [OTHER, 50_000],
    ],
  );
});

test('the row of a topic goes with the topic, and the sum of all never gets less', () => {
  const topics = new Set(['a', 'b']);
  const traffic = new TopicTraffic((name) => topics.has(name));
  traffic.of('a').bytesIn += 5;
  traffic.of('b').bytesIn += 7;
  topics.delete('a');
  traffic.prune();
  traffic.of('a').bytesIn += 1;
  assert.deepEqual(
    [...traffic.rows('bytesIn')],
    [
      [null, 13],
      ['b', 7],
      [OTHER, 6],
    ],
  );
});

test('topics beyond a number share a row', () => {
  const traffic = new TopicTraffic(() => true, 3);
  for (const topic of ['a', 'b', 'c', 'd', 'e']) traffic.of(topic).fetchRequests++;
  assert.equal([...traffic.rows('fetchRequests')].length, 1 + 3 + 1);
  assert.deepEqual([...traffic.rows('fetchRequests')].at(-1), [OTHER, 2]);
});
