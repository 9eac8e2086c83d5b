import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_VERSION, type KafkaBroker, type KafkaCluster } from '../kube/kafka-objects.ts';
import { silentLogger } from '../stdx/logger.ts';
import { BrokerConfig } from './config/config.ts';
import { InternalTopics, internalReplicas } from './internal-topics.ts';
import { MetadataImage } from './metadata/image.ts';
import type { NewTopic, TopicAdmin } from './metadata/topic-admin.ts';

const brokerObject = (id: number, state: 'Running' | 'Fenced' = 'Running') =>
  ({
    apiVersion: API_VERSION,
    kind: 'KafkaBroker',
    metadata: { name: `c-${id}` },
    spec: { id, epoch: 1 },
    status: { epoch: 1, state },
  }) as unknown as KafkaBroker;

function setUp(replicas: number, of: { drainBrokers?: number[]; config?: object } = {}) {
  const image = new MetadataImage();
  image.setCluster({ spec: { replicas, ...of } } as unknown as KafkaCluster);
  const made: NewTopic[] = [];
  const create = async (topic: NewTopic) => void made.push(topic);
  const admin = { create } as unknown as TopicAdmin;
  const config = new BrokerConfig(() => image.clusterConfig);
  const topics = new InternalTopics(config, image, () => admin, silentLogger);
  const come = (id: number, state?: 'Running' | 'Fenced') =>
    image.setBroker(`c-${id}`, brokerObject(id, state));
  return { image, config, topics, made, come };
}

test('an internal topic waits for as many brokers as it is to have replicas', () => {
  const { topics, made, come } = setUp(3);
  come(0);
  topics.ensure('__consumer_offsets');
  come(1);
  topics.ensure('__consumer_offsets');
  assert.deepEqual(made, []);
  come(2, 'Fenced');
  topics.ensure('__consumer_offsets');
  assert.deepEqual(
    made.map(({ name, replicas }) => [name, replicas]),
    [['__consumer_offsets', 3]],
    'a broker that is away is one of them',
  );
});

test('the number of replicas comes from the settings and the spec, not from who is there', () => {
  const one = setUp(1);
  one.come(0);
  one.topics.ensure('__transaction_state');
  assert.deepEqual(
    one.made.map(({ replicas, config }) => [replicas, config['min.insync.replicas']]),
    [[1, '1']],
    'no more than there will be: the API would refuse it',
  );
  const wanted = (replicas: number, of: Parameters<typeof setUp>[1] = {}) => {
    const { config, image } = setUp(replicas, of);
    return internalReplicas(config, image, '__consumer_offsets');
  };
  assert.deepEqual([wanted(1), wanted(2), wanted(3), wanted(9)], [1, 2, 3, 3]);
  assert.equal(wanted(3, { drainBrokers: [2] }), 2);
  assert.equal(wanted(9, { config: { 'offsets.topic.replication.factor': 5 } }), 5);
});
