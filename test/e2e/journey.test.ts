/** The user's journey on one local cluster: three real broker processes, real clients, stock kubectl. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Consumer, ProduceAcks, Producer } from '@platformatic/kafka';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { kafkaBrokers, kafkaTopics } from '../../kube/kafka-objects.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';
import { missing, type Outcome, runProgram, runTool } from '../support/programs.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

let cluster: TestCluster;
let kafka: Kafka;
let admin: Admin;
const bootstrapArgs = () => ['--bootstrap-server', cluster.bootstrap];

before(async () => {
  cluster = await startTestCluster();
  kafka = new kafkajs.Kafka({
    brokers: [cluster.bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 40 },
  });
  admin = kafka.admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
});

function kubectl(args: readonly string[], input?: string): Promise<Outcome> {
  return runProgram('kubectl', args, {
    env: { KUBECONFIG: cluster.kubeconfig },
    ...(input === undefined ? {} : { input }),
  });
}

const topicYaml = (name: string, spec: object) =>
  JSON.stringify({
    apiVersion: 'kafka.tenure.dev/v1beta1',
    kind: 'KafkaTopic',
    metadata: { name },
    spec: { clusterRef: { name: 'my-cluster' }, ...spec },
  });

describe('1 · kubectl on the embedded API', { skip: missing('kubectl') }, () => {
  test('get prints our columns', async () => {
    const { stdout } = await kubectl(['get', 'kafkacluster,kafkatopic,kafkabroker']);
    assert.match(stdout, /NAME\s+READY\s+BROKERS\s+AGE\n\S+my-cluster\s+True\s+3\/3/);
    assert.match(stdout, /PARTITIONS\s+REPLICAS\s+IN-SYNC\s+UNDER-REPLICATED\s+OFFLINE\s+LEADERS/);
    assert.match(stdout, /my-topic\s+True\s+3\s+3\s+3\s+0\s+0\s+0,1,2/);
  });

  test('apply, wait, describe, explain, patch, edit, get -w and delete work', async () => {
    assert.match(
      (await kubectl(['apply', '-f', '-'], topicYaml('kube', { partitions: 2, replicas: 2 })))
        .stdout,
      /created/,
    );
    assert.match(
      (await kubectl(['wait', '--for=condition=Ready', 'kafkatopic/kube', '--timeout=20s'])).stdout,
      /condition met/,
    );
    assert.match(
      (await kubectl(['apply', '-f', '-'], topicYaml('kube', { partitions: 3, replicas: 2 })))
        .stdout,
      /configured/,
    );
    assert.match(
      (await kubectl(['describe', 'kafkatopic', 'kube'])).stdout,
      /every partition has a leader/,
    );
    assert.match(
      (await kubectl(['explain', 'kafkatopic.spec.partitions'])).stdout,
      /How many partitions/,
    );
    assert.match(
      (
        await kubectl([
          'patch',
          'kafkatopic',
          'kube',
          '--type=merge',
          '-p',
          '{"spec":{"config":{"retention.ms":"60000"}}}',
        ])
      ).stdout,
      /patched/,
    );
    const edited = await runProgram('kubectl', ['edit', 'kafkatopic', 'kube'], {
      env: { KUBECONFIG: cluster.kubeconfig, EDITOR: 'sed -i s/60000/70000/' },
    });
    assert.match(edited.stdout, /edited/);
    assert.match(
      (await kubectl(['get', 'kafkatopic', 'kube', '-o', 'jsonpath={.spec.config}'])).stdout,
      /70000/,
    );
    const watching = runProgram(
      'kubectl',
      ['get', 'kafkatopic', 'kube', '-w', '--request-timeout=5s'],
      { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 8000 },
    );
    await new Promise((done) => setTimeout(done, 500));
    assert.match((await kubectl(['delete', 'kafkatopic', 'kube'])).stdout, /deleted/);
    assert.ok(
      (await watching).stdout.split('\n').length > 3,
      'the watch showed more than the first state',
    );
  });

  test('what is wrong with a manifest is said in a sentence that names the field', async () => {
    const bad = await kubectl(['apply', '-f', '-'], topicYaml('bad', { partitions: 0 }));
    assert.match(bad.stderr, /The KafkaTopic "bad" is invalid: spec\.partitions: Invalid value: 0/);
    assert.match(
      (await kubectl(['apply', '-f', '-'], topicYaml('bad', { replcas: 1 }))).stderr,
      /unknown field "spec\.replcas"/,
    );
    const rule = await kubectl(
      ['apply', '-f', '-'],
      topicYaml('bad', { replicas: 1, config: { 'min.insync.replicas': 2 } }),
    );
    assert.match(rule.stderr, /min\.insync\.replicas must not be above replicas/);
    const shrink = await kubectl([
      'patch',
      'kafkatopic',
      'my-topic',
      '--type=merge',
      '-p',
      '{"spec":{"partitions":1}}',
    ]);
    assert.match(shrink.stderr, /partitions must not shrink/);
  });

  test('a topic that the cluster cannot hold says why in its condition', async () => {
    await kubectl(['apply', '-f', '-'], topicYaml('wide', { partitions: 1, replicas: 9 }));
    await until('the condition is there', 10_000, async () =>
      (
        await kubectl([
          'get',
          'kafkatopic',
          'wide',
          '-o',
          'jsonpath={.status.conditions[?(@.type=="Ready")].message}',
        ])
      ).stdout.includes('only 3 brokers'),
    );
    await kubectl(['delete', 'kafkatopic', 'wide']);
  });
});

describe('2 · one topic, two ways', () => {
  test('a topic applied to the API exists in Kafka, and one made by a client exists in the API', async () => {
    await cluster.local.api.create(
      kafkaTopics,
      JSON.parse(topicYaml('from-yaml', { topicName: 'From.Yaml', partitions: 2 })) && {
        ...JSON.parse(topicYaml('from-yaml', { topicName: 'From.Yaml', partitions: 2 })),
        metadata: { name: 'from-yaml', namespace: 'default' },
      },
    );
    await until('Kafka lists it', 10_000, async () =>
      (await admin.listTopics()).includes('From.Yaml'),
    );
    await admin.createTopics({
      topics: [
        {
          topic: 'From_Client',
          numPartitions: 2,
          replicationFactor: 2,
          configEntries: [{ name: 'retention.ms', value: '12345' }],
        },
      ],
    });
    const topics = await cluster.local.api.list(kafkaTopics, { namespace: 'default' });
    const made = topics.items.find(({ spec }) => spec.topicName === 'From_Client');
    assert.equal(made?.spec.partitions, 2);
    assert.equal(made?.spec.config?.['retention.ms'], '12345');
    await admin.deleteTopics({ topics: ['From.Yaml'] });
    assert.equal(await cluster.local.api.get(kafkaTopics, 'default', 'from-yaml'), null);
    await cluster.local.api.delete(kafkaTopics, 'default', made?.metadata.name ?? '');
    await until(
      'Kafka forgets it',
      10_000,
      async () => !(await admin.listTopics()).includes('From_Client'),
    );
  });

  test('a name is free as soon as its deletion is answered, with its topic gone from the API', async () => {
    for (let round = 0; round < 30; round++) {
      const isNew = await admin.createTopics({ topics: [{ topic: 'Again', numPartitions: 2 }] });
      assert.ok(isNew, `round ${round}: it is said to exist`);
      const { items } = await cluster.local.api.list(kafkaTopics, { namespace: 'default' });
      const named = items.filter(({ spec }) => spec.topicName === 'Again');
      assert.equal(named.length, 1, `round ${round}`);
      const { name, uid } = named[0]?.metadata ?? {};
      await admin.deleteTopics({ topics: ['Again'] });
      const left = await cluster.local.api.get(kafkaTopics, 'default', name ?? '');
      assert.notEqual(left?.metadata.uid, uid, `round ${round}`);
    }
    // Deleted by kubectl, it is on its way out for a while: whoever makes it anew waits for that.
    await cluster.local.api.create(kafkaTopics, {
      ...JSON.parse(topicYaml('leaving', { partitions: 2 })),
      metadata: { name: 'leaving', namespace: 'default' },
    });
    await until('Kafka lists it', 10_000, async () =>
      (await admin.listTopics()).includes('leaving'),
    );
    await cluster.local.api.delete(kafkaTopics, 'default', 'leaving');
    assert.equal(await admin.createTopics({ topics: [{ topic: 'leaving' }] }), true);
  });

  test('partitions grow and do not shrink, and configuration acts without a restart', async () => {
    await admin.createTopics({
      topics: [{ topic: 'grow', numPartitions: 1, replicationFactor: 3 }],
    });
    await admin.createPartitions({ topicPartitions: [{ topic: 'grow', count: 4 }] });
    assert.equal(
      (await admin.fetchTopicMetadata({ topics: ['grow'] })).topics[0]?.partitions.length,
      4,
    );
    await assert.rejects(
      admin.createPartitions({ topicPartitions: [{ topic: 'grow', count: 2 }] }),
    );
    const pids = [0, 1, 2].map(cluster.pid);
    const producer = kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    const value = 'x'.repeat(5000);
    await producer.send({ topic: 'grow', messages: [{ value }] });
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: 'grow',
          configEntries: [{ name: 'max.message.bytes', value: '1000' }],
        },
      ],
    });
    await until('the limit acts', 5_000, () =>
      producer.send({ topic: 'grow', messages: [{ value }] }).then(
        () => false,
        () => true,
      ),
    );
    await producer.disconnect();
    assert.deepEqual([0, 1, 2].map(cluster.pid), pids);
  });
});

describe('3 · unmodified clients', () => {
  test('kafkajs: keys, headers, timestamps, gzip, groups that rebalance, commit and resume', async () => {
    await admin.createTopics({
      topics: [{ topic: 'kafkajs', numPartitions: 4, replicationFactor: 3 }],
    });
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const messages = Array.from({ length: 40 }, (_, i) => ({
      key: `k${i}`,
      value: `v${i}`,
      headers: { h: `${i}` },
      timestamp: String(1_700_000_000_000 + i),
    }));
    await producer.send({
      topic: 'kafkajs',
      acks: -1,
      compression: kafkajs.CompressionTypes.GZIP,
      messages,
    });
    const seen: string[] = [];
    const perMember = [0, 0];
    const members = [0, 1].map((i) => ({
      i,
      consumer: kafka.consumer({
        groupId: 'kafkajs-group',
        sessionTimeout: 10_000,
        heartbeatInterval: 200,
        maxWaitTimeInMs: 100,
      }),
    }));
    for (const { consumer, i } of members) {
      await consumer.connect();
      await consumer.subscribe({ topic: 'kafkajs', fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          perMember[i] = (perMember[i] ?? 0) + 1;
          seen.push(`${message.key}=${message.value}/${message.headers?.h}@${message.timestamp}`);
        },
      });
    }
    await until(`everything is consumed (${seen.length})`, 30_000, () => seen.length >= 40);
    assert.deepEqual(
      new Set(seen),
      new Set(messages.map((m) => `${m.key}=${m.value}/${m.headers.h}@${m.timestamp}`)),
    );
    await until(
      'both members take part',
      20_000,
      async () => (await admin.describeGroups(['kafkajs-group'])).groups[0]?.members.length === 2,
    );
    await members[0]?.consumer.disconnect();
    await producer.send({
      topic: 'kafkajs',
      messages: Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, value: `again${i}` })),
    });
    await until(
      `the other goes on (${seen.length})`,
      30_000,
      () => seen.filter((one) => one.includes('=again')).length === 20,
    );
    await members[1]?.consumer.disconnect();
    assert.equal(seen.length, 60, 'what was committed is not consumed again');
    await producer.disconnect();
  });

  test('@platformatic/kafka produces and consumes with every codec', async () => {
    await admin.createTopics({
      topics: [{ topic: 'platformatic', numPartitions: 2, replicationFactor: 3 }],
    });
    const bootstrapBrokers = [cluster.bootstrap];
    const producer = new Producer({ clientId: 'p', bootstrapBrokers });
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
    for (const compression of codecs) {
      await producer.send({
        acks: ProduceAcks.ALL,
        compression,
        messages: [
          {
            topic: 'platformatic',
            key: Buffer.from(compression),
            value: Buffer.from(compression.repeat(200)),
          },
        ],
      });
    }
    await producer.close();
    const consumer = new Consumer({
      clientId: 'c',
      groupId: 'platformatic-group',
      bootstrapBrokers,
    });
    const stream = await consumer.consume({
      topics: ['platformatic'],
      mode: 'earliest',
      autocommit: true,
      maxWaitTime: 200,
    });
    const seen = new Map<string, string>();
    for await (const message of stream) {
      seen.set(String(message.key), String(message.value));
      if (seen.size === codecs.length) break;
    }
    await consumer.close(true);
    for (const codec of codecs) assert.equal(seen.get(codec), codec.repeat(200));
  });

  test('kcat (librdkafka): every codec, idempotence, headers, a group', {
    skip: missing('kcat'),
  }, async () => {
    await admin.createTopics({
      topics: [{ topic: 'kcat', numPartitions: 2, replicationFactor: 3 }],
    });
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const sent = await runProgram(
        'kcat',
        [
          '-b',
          cluster.bootstrap,
          '-t',
          'kcat',
          '-P',
          '-z',
          codec,
          '-X',
          'enable.idempotence=true',
          '-k',
          codec,
          '-H',
          'a=b',
        ],
        { input: `${codec}-value\n` },
      );
      assert.equal(sent.code, 0, sent.stderr);
    }
    const read = await runProgram('kcat', [
      '-b',
      cluster.bootstrap,
      '-t',
      'kcat',
      '-C',
      '-e',
      '-q',
      '-o',
      'beginning',
      '-f',
      '%k %s %h\n',
    ]);
    assert.deepEqual(
      new Set(read.stdout.trim().split('\n')),
      new Set(
        ['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec) => `${codec} ${codec}-value a=b`),
      ),
    );
    const group = await runProgram(
      'kcat',
      [
        '-b',
        cluster.bootstrap,
        '-G',
        'kcat-group',
        '-c',
        '5',
        '-X',
        'auto.offset.reset=earliest',
        'kcat',
      ],
      { timeoutMs: 40_000 },
    );
    assert.equal(group.stdout.trim().split('\n').length, 5);
  });
});

describe('4 · the command lines of every Kafka tutorial', () => {
  test('create, list, describe, alter and delete a topic; produce and consume; lag of a group', async () => {
    const at = bootstrapArgs();
    const created = await runTool('kafka-topics', [
      '--create',
      '--topic',
      'tutorial',
      '--partitions',
      '3',
      '--replication-factor',
      '1',
      ...at,
    ]);
    assert.equal(created.stdout, 'Created topic tutorial.\n', created.stderr);
    assert.match((await runTool('kafka-topics', ['--list', ...at])).stdout, /^tutorial$/m);
    const described = await runTool('kafka-topics', ['--describe', '--topic', 'tutorial', ...at]);
    assert.match(
      described.stdout,
      /Topic: tutorial\tTopicId: \S{22}\tPartitionCount: 3\tReplicationFactor: 1/,
    );
    assert.equal(
      (described.stdout.match(/\tPartition: \d\tLeader: \d\tReplicas: \d\tIsr: \d/g) ?? []).length,
      3,
    );
    assert.equal(
      (
        await runTool('kafka-topics', [
          '--alter',
          '--topic',
          'tutorial',
          '--partitions',
          '4',
          ...at,
        ])
      ).code,
      0,
    );
    const again = await runTool('kafka-topics', ['--create', '--topic', 'tutorial', ...at]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /TOPIC_ALREADY_EXISTS/);
    assert.doesNotMatch(again.stderr, /\n\s+at /, 'no stack trace');
    const produced = await runTool('kafka-console-producer', ['--topic', 'tutorial', ...at], {
      input: 'one\ntwo\nthree\n',
    });
    assert.equal(produced.code, 0, produced.stderr);
    const read = await runTool('kafka-console-consumer', [
      '--topic',
      'tutorial',
      '--from-beginning',
      '--group',
      'tutors',
      '--max-messages',
      '3',
      ...at,
    ]);
    assert.deepEqual(
      new Set(read.stdout.trim().split('\n')),
      new Set(['one', 'two', 'three']),
      read.stderr,
    );
    await runTool('kafka-console-producer', ['--topic', 'tutorial', ...at], { input: 'four\n' });
    const lag = await runTool('kafka-consumer-groups', ['--describe', '--group', 'tutors', ...at]);
    assert.match(lag.stdout, /GROUP\s+TOPIC\s+PARTITION\s+CURRENT-OFFSET\s+LOG-END-OFFSET\s+LAG/);
    const lags = [...lag.stdout.matchAll(/^tutors\s+tutorial\s+\d\s+\S+\s+\d+\s+(\S+)/gm)].map(
      ([, value]) => value,
    );
    assert.ok(lags.includes('1') || lag.stdout.includes(' - '), lag.stdout);
    assert.match(
      (await runTool('tenure', ['topics', 'describe', 'tutorial', ...at])).stdout,
      /PartitionCount: 4/,
    );
    assert.equal(
      (await runTool('kafka-topics', ['--delete', '--topic', 'tutorial', ...at])).code,
      0,
    );
    assert.doesNotMatch((await runTool('kafka-topics', ['--list', ...at])).stdout, /^tutorial$/m);
  });

  test('a server that is not there is one sentence', async () => {
    const { code, stderr } = await runTool('kafka-topics', [
      '--list',
      '--bootstrap-server',
      '127.0.0.1:1',
    ]);
    assert.equal(code, 1);
    assert.equal(stderr.trim().split('\n').length, 1);
    assert.match(stderr, /127\.0\.0\.1:1 cannot be reached/);
  });
});

describe('7 · metrics and health', () => {
  test('every broker answers in Prometheus form with the names that dashboards ask for', async () => {
    const texts = await Promise.all(
      [0, 1, 2].map(async (id) =>
        (await fetch(`http://${await cluster.address(id)}:9404/metrics`)).text(),
      ),
    );
    const names = [
      'kafka_server_brokertopicmetrics_bytesin_total',
      'kafka_server_brokertopicmetrics_messagesin_total',
      'kafka_server_brokertopicmetrics_totalproducerequests_total',
      'kafka_server_brokertopicmetrics_totalfetchrequests_total',
      'kafka_server_replicamanager_leadercount',
      'kafka_server_replicamanager_partitioncount',
      'kafka_server_replicamanager_underreplicatedpartitions',
      'kafka_cluster_partition_underminisr',
      'kafka_cluster_partition_replicascount',
      'kafka_controller_kafkacontroller_activecontrollercount',
      'kafka_controller_kafkacontroller_offlinepartitionscount',
      'kafka_controller_controllerstats_uncleanleaderelections_total',
      'kafka_log_log_size',
      'kafka_network_requestmetrics_totaltimems',
      'kafka_network_socketserver_networkprocessoravgidle_percent',
      'kafka_server_socket_server_metrics_connection_count',
      'process_open_fds',
      'jvm_memory_used_bytes',
    ];
    for (const name of names) {
      // What is said of led partitions is only there on brokers that lead some.
      const where = name.startsWith('kafka_cluster_partition_') ? [texts.join('')] : texts;
      for (const text of where) assert.ok(new RegExp(`^${name}[ {]`, 'm').test(text), name);
    }
    const controllers = texts.map((text) =>
      Number(/^kafka_controller_kafkacontroller_activecontrollercount (\d)/m.exec(text)?.[1]),
    );
    assert.equal(
      controllers.reduce((a, b) => a + b, 0),
      1,
      'there is exactly one controller',
    );
    const operator = await (await fetch(cluster.local.operatorMetrics)).text();
    assert.match(
      operator,
      /^tenure_reconciliations_successful_total\{kind="KafkaCluster"\} [1-9]/m,
    );
    assert.match(operator, /^tenure_resources\{kind="KafkaCluster"\} 1/m);
    for (const id of [0, 1, 2]) {
      for (const path of ['livez', 'readyz'])
        assert.equal((await fetch(`http://${await cluster.address(id)}:9404/${path}`)).status, 200);
    }
  });
});

describe('8 · scaling', { skip: missing('kubectl') }, () => {
  test('kubectl scale adds a broker at once, and empties one before it goes, and says why it cannot', async () => {
    assert.match(
      (await kubectl(['scale', 'kafkacluster', 'my-cluster', '--replicas=4'])).stdout,
      /scaled/,
    );
    await until(
      'four brokers are ready',
      20_000,
      async () =>
        (await kubectl(['get', 'kafkacluster', 'my-cluster', '-o', 'jsonpath={.status.brokers}']))
          .stdout === '4/4',
    );
    await until('the new broker has got its share of what there is', 20_000, async () => {
      const broker = await cluster.local.api.get(kafkaBrokers, 'default', 'my-cluster-broker-3');
      return (broker?.status?.replicas ?? 0) > 10;
    });
    await admin.createTopics({
      topics: [{ topic: 'on-all', numPartitions: 4, replicationFactor: 4 }],
    });
    await kubectl(['scale', 'kafkacluster', 'my-cluster', '--replicas=3']);
    await until('the refusal is in the condition', 20_000, async () =>
      (
        await kubectl(['get', 'kafkacluster', 'my-cluster', '-o', 'jsonpath={.status.conditions}'])
      ).stdout.includes('topic on-all has 4 replicas of each partition'),
    );
    assert.ok(cluster.pid(3) > 0);
    await admin.deleteTopics({ topics: ['on-all'] });
    await until(
      'the broker is emptied and goes',
      60_000,
      async () =>
        (await kubectl(['get', 'kafkacluster', 'my-cluster', '-o', 'jsonpath={.status.brokers}']))
          .stdout === '3/3',
    );
  });
});

describe('bad input', () => {
  /** Sends bytes to a broker; resolves when it closes the connection or answers. */
  function shout(host: string, bytes: Buffer): Promise<'closed' | 'answered'> {
    return new Promise((resolve) => {
      const socket = net.connect({ host, port: 9092 }, () => socket.write(bytes));
      socket.on('data', () => {
        resolve('answered');
        socket.destroy();
      });
      socket.on('close', () => resolve('closed'));
      socket.on('error', () => resolve('closed'));
      setTimeout(() => socket.destroy(), 3000);
    });
  }
  const frame = (body: Buffer) =>
    Buffer.concat([
      Buffer.from([
        body.length >>> 24,
        (body.length >>> 16) & 255,
        (body.length >>> 8) & 255,
        body.length & 255,
      ]),
      body,
    ]);

  test('random, oversized and truncated frames close the connection; the broker lives and others notice nothing', async () => {
    const host = await cluster.address(0);
    const pid = cluster.pid(0);
    for (let i = 0; i < 200; i++) {
      const body = Buffer.from(
        Array.from(
          { length: 4 + ((i * 37) % 300) },
          (_, j) => (i * 131 + j * 89 + ((i * j) % 251)) & 255,
        ),
      );
      body.writeInt16BE(i % 100, 0);
      if (body.length >= 4) body.writeInt16BE(i % 14, 2);
      await shout(host, frame(body));
    }
    for (const size of [0x7fffffff, -1, 0x48545450]) {
      const head = Buffer.alloc(4);
      head.writeInt32BE(size);
      assert.equal(
        await shout(host, Buffer.concat([head, Buffer.from('GET / HTTP/1.1\r\n\r\n')])),
        'closed',
      );
    }
    assert.equal(cluster.pid(0), pid, 'it is the same process');
    assert.ok((await admin.listTopics()).includes('my-topic'));
  });

  test('an unknown version of ApiVersions is answered in version 0 with the range', async () => {
    const host = await cluster.address(0);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const body = Buffer.alloc(10);
      body.writeInt16BE(18, 0);
      body.writeInt16BE(99, 2);
      body.writeInt32BE(7, 4);
      body.writeInt16BE(-1, 8);
      const socket = net.connect({ host, port: 9092 }, () => socket.write(frame(body)));
      socket.on('data', (bytes) => {
        resolve(bytes as Buffer);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    const response = apis.ApiVersions.response.decode(answer.subarray(8), 0);
    assert.equal(response.errorCode, 35);
    assert.deepEqual(
      response.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
        apiKey,
        minVersion,
        maxVersion,
      ]),
      [[18, 0, 5]],
    );
  });
});
