/** A replica whose disk refused something once: it counts for nothing more while its process lives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLine } from '../../kube/partition-line.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { DiskError } from '../../stdx/disk.ts';
import { clockOf, Process, Scheduler } from '../../test/sim/scheduler.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { Side } from '../../test/support/replica-pair.ts';

const SELF = { id: 1, epoch: 1 };
const OTHER = { id: 2, epoch: 1 };
const refused = () => new DiskError('/d/t-0', Object.assign(new Error('EIO'), { code: 'EIO' }));
const record = () => buildBatch([{ key: null, value: Buffer.from('v') }], { timestampMs: 5 });

function setUp() {
  const clock = clockOf(new Scheduler(), new Process('broker'), { rate: 1, skewMs: 0 });
  const { partition } = new Side(SELF, clock, logConfig());
  let partitionEpoch = 0;
  const line = (more: Partial<PartitionLine>): PartitionLine => ({
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: SELF,
    leaderEpoch: partitionEpoch,
    partitionEpoch: partitionEpoch++,
    replicas: [1, 2],
    isr: [SELF, OTHER],
    elr: [],
    adding: [],
    removing: [],
    ...more,
  });
  const fail = () =>
    assert.throws(() => partition.onLogError(refused()), DiskError, 'it is reported');
  return { fail, line, partition };
}

test('neither a newer leadership nor a newer leader brings a failed replica back', () => {
  const { fail, line, partition } = setUp();
  partition.applyLine(line({}), SELF);
  fail();
  for (const leader of [SELF, OTHER, SELF]) {
    partition.applyLine(line({ leader }), SELF);
    assert.deepEqual(partition.role, { kind: 'offline', why: 'KAFKA_STORAGE_ERROR' });
    partition.produce(record(), { acks: 1, timeoutMs: 1 }, ({ error }) =>
      assert.equal(error, 'KAFKA_STORAGE_ERROR'),
    );
  }
});

test('a follower whose disk failed takes no more, and calls nothing committed', () => {
  const { fail, line, partition } = setUp();
  partition.applyLine(line({ leader: OTHER, leaderEpoch: 3 }), SELF);
  fail();
  assert.notEqual(partition.appendFromLeader(record(), 3), null);
  partition.followLeader(1, 0);
  assert.equal(partition.highWatermark, 0);
});
