/** A disk that fills up, and a power cut's little brother: every broker killed at once. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import { startTestCluster, until } from '../support/local.ts';

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';

/** Mounts a small file system at the folder; says why it cannot where it cannot. */
function smallDisk(folder: string): string | null {
  mkdirSync(folder, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  return status === 0
    ? null
    : `a small file system cannot be mounted here: ${String(stderr).trim()}`;
}

test('a full disk moves leadership away without an error, and all records survive a kill of every broker', async (t) => {
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
    assert.equal((await fetch(`http://${await cluster.address(1)}:9404/livez`)).status, 503);
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
    await again.disconnect();
  } finally {
    spawnSync('umount', [volume]);
    rmSync(folder, { recursive: true, force: true });
  }
});
