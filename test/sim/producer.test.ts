/** What simulated producers send must be what Kafka's clients would: else brokers are blamed for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch } from '../../proto/kafka/record-batch.ts';
import { History } from './history.ts';
import { SimProducer } from './producer.ts';
import { plainScene } from './scene.ts';
import { World } from './world.ts';

const TOPIC_ID = 'l7uZ4mogRXS0XGm2d6DbOw';
const UNKNOWN_TOPIC_ID = 100;

/** Everybody says that the topic is there; one broker, one time, that it is not. */
class ToldGoneOnce extends SimProducer {
  readonly sequences: number[] = [];
  private producers = 0;

  override async ask(_host: string, name: string, _version: number, body: never): Promise<never> {
    await this.pause(1);
    return this.answer(name, body) as never;
  }

  private answer(name: string, body: never): object {
    if (name === 'InitProducerId')
      return { errorCode: 0, producerId: ++this.producers, producerEpoch: 0 };
    if (name === 'Metadata')
      return {
        topics: [
          { errorCode: 0, topicId: TOPIC_ID, partitions: [{ leaderId: 0, partitionIndex: 0 }] },
        ],
      };
    const { topicData } = body as { topicData: { partitionData: { records: Buffer }[] }[] };
    const records = topicData[0]?.partitionData[0]?.records as Buffer;
    assert.equal(Number(batch.producerId(records)), this.producers);
    this.sequences.push(batch.baseSequence(records));
    const errorCode = this.sequences.length === 3 ? UNKNOWN_TOPIC_ID : 0;
    const baseOffset = this.sequences.length;
    return { responses: [{ partitionResponses: [{ errorCode, baseOffset }] }] };
  }
}

test('a sequence is used once, also where a topic is gone by one broker and there by another', async () => {
  const plain = plainScene({ brokers: 1, partitions: 1, config: {} });
  const [shape] = plain.topics.map((topic) => ({ ...topic, kind: 'passing' as const }));
  assert.ok(shape !== undefined);
  using world = new World({ seed: 1, scene: plain });
  const producer = new ToldGoneOnce(world, 'p', shape, new History());
  producer.start();
  await world.run(5_000);
  const { sequences } = producer;
  assert.ok(sequences.length >= 3);
  assert.deepEqual(sequences, [...new Set(sequences)]);
  assert.deepEqual(world.bugs, []);
});
