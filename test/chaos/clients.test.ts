import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kafka } from 'kafkajs';
import { until } from '../support/wait.ts';
import { ChaosProducer } from './clients.ts';
import { TopicHistory } from './history.ts';

test('a producer sends nothing before it is connected for certain', async () => {
  const sends: string[] = [];
  let connects = 0;
  const kafka = {
    producer: () => {
      let state = 'new';
      return {
        async connect() {
          connects++;
          // The second and the third get as far as kafkajs does where no producer id can be had.
          state = connects === 2 || connects === 3 ? 'half connected' : 'connected';
          if (state !== 'connected') throw new Error('no producer id');
        },
        async disconnect() {},
        async send() {
          sends.push(state);
          if (sends.length === 1) throw new Error('given up');
          return [{ baseOffset: '1' }];
        },
      };
    },
  } as unknown as Kafka;
  const producer = new ChaosProducer(kafka, 't', 1, 0, new TopicHistory());
  await producer.start();
  await until('it sends again', 10_000, () => producer.acknowledged.count > 2);
  await producer.stop();
  assert.equal(connects, 4);
  assert.deepEqual(producer.unknown, ['0:0']);
  assert.deepEqual(new Set(sends), new Set(['connected']));
});
