/** Both ends of the streams at once: what a follower has in the end is what its leader has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplicaPair } from '../../test/support/replica-pair.ts';
import { DamagedLog } from '../log/stored-batches.ts';

async function assertAlike({ follower, leader }: ReplicaPair): Promise<void> {
  const [mine, theirs] = [follower.partition, leader.partition];
  assert.equal(mine.log.endOffset, theirs.log.endOffset);
  assert.equal(mine.log.startOffset, theirs.log.startOffset);
  assert.equal(mine.highWatermark, theirs.highWatermark);
  const said = theirs.leaderCore?.progress[0]?.logStartOffset;
  assert.equal(said, mine.log.startOffset, 'the leader knows where the follower starts');
  for (let offset = theirs.log.startOffset; offset < theirs.highWatermark; offset++)
    assert.equal(await follower.readAt(offset), await leader.readAt(offset), `at ${offset}`);
  // Of a log without a record nothing is copied, not even who wrote what was in it.
  if (theirs.log.startOffset === theirs.log.endOffset) return;
  for (let epoch = 0; epoch <= theirs.leaderEpoch; epoch++)
    assert.deepEqual(
      mine.log.epochs.endOffsetFor(epoch, mine.log.endOffset),
      theirs.log.epochs.endOffsetFor(epoch, theirs.log.endOffset),
    );
}

test('a replica that begins in the middle of a batch has the whole of it', async () => {
  using pair = new ReplicaPair();
  for (let i = 0; i < 10; i++) pair.produce(100);
  await pair.settle();
  pair.leader.partition.deleteBefore(50);
  pair.replaceFollower();
  await pair.settle();
  assert.equal(pair.follower.partition.log.startOffset, 50);
  assert.equal(pair.follower.partition.highWatermark, 1000);
  await assertAlike(pair);
});

test('a replica answers every offset from the log start to the high watermark as its leader does', async () => {
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('produce' as const),
        count: fc.integer({ min: 1, max: 9 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        percent: fc.integer({ min: 0, max: 100 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('retain' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        tenths: fc.integer({ min: 0, max: 20 }),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      using pair = new ReplicaPair({ segmentBytes: 600, retentionBytes: 1500 });
      const { partition } = pair.leader;
      for (const what of events) {
        if (what.kind === 'produce') pair.produce(what.count);
        else if (what.kind === 'replace') pair.replaceFollower();
        else if (what.kind === 'retain') partition.log.retain(0, partition.highWatermark);
        else if (what.kind === 'pass') await pair.settle(what.tenths / 10);
        else {
          const { startOffset } = partition.log;
          partition.deleteBefore(
            startOffset +
              Math.round(((partition.highWatermark - startOffset) * what.percent) / 100),
          );
        }
      }
      await pair.settle();
      await assertAlike(pair);
    }),
    { numRuns: 300 },
  );
});

test('what a follower refuses as damaged is read from the file again, where it is whole', async () => {
  using pair = new ReplicaPair();
  await pair.settle();
  for (let i = 0; i < 6; i++) pair.produce(3);
  await pair.settle();
  pair.replaceFollower();
  // The memory of the leader has other bits by now than its disk.
  const { log } = pair.leader.partition;
  const inMemory = log.read({ offset: 9, bytesMax: 1, endOffset: 18, atLeastOne: true });
  assert.ok(!(inMemory instanceof Promise) && inMemory.slabs.length > 0, 'it is in memory');
  const bytes = inMemory.buffers[0] as Buffer;
  bytes.writeUInt8(bytes.readUInt8(70) ^ 1, 70);
  await pair.settle(2_000);
  assert.equal(pair.follower.partition.log.endOffset, 18);
  await assertAlike(pair);
});

test('a damaged replica that nobody counts on follows only after it gave up what it had', async () => {
  using pair = new ReplicaPair();
  pair.produce(3);
  await pair.settle();
  const { partition } = pair.follower;
  assert.equal(partition.log.endOffset, 3);
  partition.damaged(new DamagedLog({ path: 'x', baseOffset: 0, position: 0, fault: 'crc' }));
  pair.followAgain();
  pair.produce(3);
  await pair.settle();
  // The leader would let it in again, with the damage.
  assert.equal(partition.log.endOffset, 3);
  partition.giveUpDamage();
  pair.followAgain();
  await pair.settle();
  assert.equal(partition.log.endOffset, 6);
  await assertAlike(pair);
});
