/** Whatever clients send to whole brokers: none of it may reach a bug, which would end the process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZERO_UUID } from '../../proto/kafka/cursor.ts';
import { consumerProtocolSubscription } from '../../proto/kafka/messages/consumer-protocol.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import { Random } from './random.ts';
import { RandomRequests } from './requests.ts';
import { plainScene, TOPIC } from './scene.ts';
import { Process } from './scheduler.ts';
import { KAFKA_PORT, type SimNode, World } from './world.ts';

const SEEDS = Number(process.env.TENURE_FUZZ_SEEDS ?? 6);
const REQUESTS = Number(process.env.TENURE_FUZZ_RUNS ?? 6_000);
const IN_FLIGHT = 20;
/** DeleteTopics and UnregisterBroker: what comes after them finds little. */
const ENDING: ReadonlySet<number> = new Set([20, 64]);

const records = [
  { key: Buffer.from('k'), value: Buffer.from('v') },
  { key: null, value: null },
];
const subscription = Buffer.concat([
  Buffer.from([0, 1]),
  consumerProtocolSubscription.encode({ topics: [TOPIC] }, 1),
]);
const blobs = [
  Buffer.alloc(0),
  buildBatch(records, { timestampMs: 1_800_000_000_000 }),
  buildBatch(records, { timestampMs: Number.MAX_SAFE_INTEGER }),
  buildBatch(records, { timestampMs: 1, producerId: 0, producerEpoch: 0, baseSequence: 0 }),
  buildBatch(records, {
    timestampMs: 1_800_000_000_000,
    producerId: 1,
    producerEpoch: 0,
    baseSequence: 0,
    attributes: TRANSACTIONAL_BIT,
  }),
  subscription,
];

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`no request of any API in any version reaches a bug (seed ${seed})`, async () => {
    const config = {
      'offsets.topic.num.partitions': 1,
      'offsets.topic.replication.factor': 1,
      'transaction.state.log.num.partitions': 1,
      'transaction.state.log.replication.factor': 1,
      'share.coordinator.state.topic.num.partitions': 1,
      'share.coordinator.state.topic.replication.factor': 1,
    };
    using world = new World({ seed, scene: plainScene({ brokers: 1, partitions: 2, config }) });
    const [node] = world.nodes as [SimNode];
    world.start(node);
    await world.run(5_000);
    const random = new Random(seed);
    const topicId = world.lines()[0]?.topicId ?? ZERO_UUID;
    const requests = new RandomRequests(random, {
      strings: [TOPIC, TOPIC, 'group', 'member', 'transaction', 'my-topic', '0'],
      uuids: [topicId, topicId, ZERO_UUID, 'AAAAAAAAAAAAAAAAAAAAAQ'],
      blobs,
    });
    const all = Object.values(apis);
    const harmless = all.filter(({ key }) => !ENDING.has(key));
    const client = new Process('client');
    let answered = 0;
    for (let sent = 0; sent < REQUESTS; sent += IN_FLIGHT) {
      const lately: string[] = [];
      for (let i = 0; i < IN_FLIGHT; i++) {
        const api = random.pick(sent < REQUESTS * 0.8 ? harmless : all);
        const [min, max] = api.request.versions;
        const version = Math.min(Math.floor(random.between(min, max + 1)), max);
        lately.push(`${api.key} v${version}`);
        const frame = requests.frame(api, version);
        const answer = world.network.request(client, `${node.name}:${KAFKA_PORT}`, frame, 3_000);
        answer.then(
          () => answered++,
          () => undefined,
        );
      }
      await world.run(random.pick([20, 300, 3_000]));
      assert.deepEqual(world.bugs, [], `after ${lately.join(', ')}`);
      assert.equal(node.process?.alive, true);
    }
    assert.ok(answered > REQUESTS / 4, `only ${answered} of ${REQUESTS} were answered`);
  });
}
