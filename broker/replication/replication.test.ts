/** Both ends of the streams at once: what a follower has in the end is what its leader has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplicaPair } from '../../test/support/replica-pair.ts';

async function assertAlike({ follower, leader }: ReplicaPair): Promise<void> {
  const [mine, theirs] = [follower.partition, leader.partition];
  assert.equal(mine.log.endOffset, theirs.log.endOffset);
  assert.equal(mine.log.startOffset, theirs.log.startOffset);
  assert.equal(mine.highWatermark, theirs.highWatermark);
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
