/** Disks that fill up, one of several or the only one, and a power cut's little brother: every broker killed at once. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { kafkaBrokers } from '../../kube/kafka-objects.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

/** Mounts a small file system at the folder; says why it cannot where it cannot. */
function smallDisk(folder: string): string | null {
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  return status === 0
    ? null
    : `a small file system cannot be mounted here: ${String(stderr).trim()}`;
}

test('a full disk moves leadership away without an error, a broker starts on it, and goes on once there is room', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-disk-'));
  const volume = join(folder, 'node/volumes/default_data-my-cluster-broker-1');
  const why = smallDisk(volume);
  if (why !== null) return t.skip(why);
  try {
    await using cluster = await startTestCluster({ folder });
    const kafka = new kafkajs.Kafka({
      brokers: [cluster.bootstrap],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 40, maxRetryTime: 500 },
    });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({
      topics: [
        {
          topic: 'full',
          numPartitions: 3,
          replicationFactor: 3,
          configEntries: [{ name: 'min.insync.replicas', value: '2' }],
        },
      ],
    });
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const value = Buffer.alloc(900_000, 'x');
    for (let i = 0; i < 45; i++)
      await producer.send({ topic: 'full', acks: -1, messages: [{ value, partition: i % 3 }] });
    assert.match(cluster.brokerLog(1), /storage failed .*no space left/);
    const { topics } = await admin.fetchTopicMetadata({ topics: ['full'] });
    for (const { leader, isr } of topics[0]?.partitions ?? []) {
      assert.notEqual(leader, 1);
      assert.ok(!isr.includes(1));
    }
    assert.equal((await fetch(`http://${await cluster.address(1)}:9404/livez`)).status, 200);
    await producer.disconnect();
    await admin.disconnect();

    const before = [0, 1, 2].map(cluster.pid);
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until('all are back', 30_000, () => {
      try {
        return [0, 1, 2].every((id) => !before.includes(cluster.pid(id)));
      } catch {
        return false;
      }
    });
    const again = kafka.admin();
    await again.connect();
    await until('every partition has a leader and all its records', 30_000, async () => {
      const offsets = await again.fetchTopicOffsets('full').catch(() => []);
      return offsets.length === 3 && offsets.every(({ high }) => high === '15');
    });

    const inSync = async (wanted: number) => {
      const known = await again.fetchTopicMetadata({ topics: ['full'] }).catch(() => null);
      const lines = known?.topics[0]?.partitions ?? [];
      return (
        lines.length === 3 && lines.every(({ isr, leader }) => leader >= 0 && isr.length === wanted)
      );
    };
    await until('it is out of sync, as its disk is still full', 30_000, () => inSync(2));
    const pid = cluster.pid(1);
    spawnSync('mount', ['-o', 'remount,size=400m', volume]);
    await until('every replica is in sync again', 30_000, () => inSync(3));
    assert.equal(cluster.pid(1), pid, 'nobody restarted it');
    assert.match(cluster.brokerLog(1), /a full log directory has room again/);
    await again.disconnect();
  } finally {
    spawnSync('umount', [volume]);
    rmSync(folder, { recursive: true, force: true });
  }
});

async function metricOf(cluster: TestCluster, id: number, name: string): Promise<number> {
  const text = await (await fetch(`http://${await cluster.address(id)}:9404/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

test('a volume that fails takes its own replicas offline, and its broker goes on with the other one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-disk-'));
  const volume = join(folder, 'node/volumes/default_data-1-my-cluster-broker-1');
  const why = smallDisk(volume);
  if (why !== null) return t.skip(why);
  try {
    const manifests = 'test/e2e/manifests/two-volumes.yaml';
    await using cluster = await startTestCluster({ folder, manifests });
    const kafka = new kafkajs.Kafka({
      brokers: [cluster.bootstrap],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 40, maxRetryTime: 500 },
    });
    const admin = kafka.admin();
    await admin.connect();
    const topic = { topic: 'spread', numPartitions: 6, replicationFactor: 3 };
    await admin.createTopics({ topics: [topic] });
    const pid = cluster.pid(1);
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const value = Buffer.alloc(900_000, 'x');
    for (let i = 0; i < 72; i++)
      await producer.send({ topic: 'spread', acks: -1, messages: [{ value, partition: i % 6 }] });
    await producer.disconnect();
    assert.match(cluster.brokerLog(1), /a log directory failed .*no space left/);

    // None where the broker that was asked is the one that was just killed.
    const linesNow = async () => {
      const known = await admin.fetchTopicMetadata({ topics: ['spread'] }).catch(() => null);
      return known?.topics[0]?.partitions ?? [];
    };
    const lost = (isr: readonly number[]) => !isr.includes(1);
    await until('what lay there is led by others', 10_000, async () => {
      const lines = await linesNow();
      return lines.filter(({ isr, leader }) => lost(isr) && leader !== 1).length === 3;
    });
    assert.equal((await linesNow()).filter(({ isr }) => isr.length === 3).length, 3);
    assert.equal((await fetch(`http://${await cluster.address(1)}:9404/livez`)).status, 200);
    assert.equal(await metricOf(cluster, 1, 'kafka_log_logmanager_offlinelogdirectorycount'), 1);
    await until('the status names it', 15_000, async () => {
      const broker = await cluster.local.api.get(kafkaBrokers, 'default', 'my-cluster-broker-1');
      return /data-1.*no space left/.test(broker?.status?.failedLogDirs?.join() ?? '');
    });
    assert.equal(cluster.pid(1), pid, 'it is not restarted');

    // Somebody gives the volume room.
    spawnSync('mount', ['-o', 'remount,size=400m', volume]);
    await until('every replica is in sync again, with all records', 60_000, async () => {
      const lines = await linesNow();
      const offsets = await admin.fetchTopicOffsets('spread').catch(() => []);
      return (
        lines.filter(({ isr }) => isr.length === 3).length === 6 &&
        offsets.filter(({ high }) => high === '12').length === 6
      );
    });
    assert.equal(cluster.pid(1), pid, 'it is not restarted');
    await admin.disconnect();
  } finally {
    spawnSync('umount', [volume]);
    rmSync(folder, { recursive: true, force: true });
  }
});
