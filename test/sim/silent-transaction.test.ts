/** A transactional producer falls silent, and with it whoever reads committed records; not for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorName } from '../../proto/kafka/errors.ts';
import { batchesOf, buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import { SimClient } from './client.ts';
import { Stage } from './stage.ts';

const TIMEOUT_MS = 6_000;
const ID = 'silent';

class SilentProducer extends SimClient {
  async begin() {
    for (;;) {
      const host = await this.coordinatorOf(1, ID).catch(() => null);
      if (host !== null) {
        const answer = await this.ask(host, 'InitProducerId', 4, {
          transactionalId: ID,
          transactionTimeoutMs: TIMEOUT_MS,
          producerId: -1,
          producerEpoch: -1,
        });
        if (answer.errorCode === 0) return answer;
      }
      this.forgetCoordinator();
      await this.pause(200);
    }
  }

  async write(stage: Stage, producerId: number, epoch: number, sequence: number): Promise<string> {
    const bytes = buildBatch([{ key: null, value: Buffer.from('open') }], {
      timestampMs: 1_800_000_000_000,
      producerId,
      producerEpoch: epoch,
      baseSequence: sequence,
      attributes: TRANSACTIONAL_BIT,
    });
    const { responses } = await this.ask(stage.leader.name, 'Produce', 13, {
      transactionalId: ID,
      acks: -1,
      timeoutMs: 5_000,
      topicData: [
        { topicId: stage.line?.topicId ?? '', partitionData: [{ index: 0, records: bytes }] },
      ],
    });
    return errorName(responses[0]?.partitionResponses[0]?.errorCode ?? -1);
  }

  /** What a reader of committed records is given from an offset on. */
  async committedFrom(stage: Stage, offset: number) {
    const { responses } = await this.ask(stage.leader.name, 'Fetch', 13, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: 1,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topicId: stage.line?.topicId ?? '',
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1 << 20,
            },
          ],
        },
      ],
      forgottenTopicsData: [],
    });
    const of = responses[0]?.partitions[0];
    assert.equal(of?.errorCode, 0);
    const bytes = (of.records as unknown as Buffer | null) ?? Buffer.alloc(0);
    return {
      batches: [...batchesOf(bytes)].length,
      aborted: of.abortedTransactions?.length ?? 0,
      lastStableOffset: of.lastStableOffset,
    };
  }
}

test('a transaction whose producer is silent ends when its time is up, also after its coordinator was killed', async () => {
  for (const killed of [false, true]) {
    using stage = await Stage.begin(3, { 'transaction.state.log.num.partitions': 1 });
    const { world } = stage;
    const silent = new SilentProducer(world, 'silent');
    const { producerEpoch, producerId } = await stage.answer(silent.begin());
    assert.equal(
      await stage.answer(silent.write(stage, producerId, producerEpoch, 0)),
      'NONE',
      'the transaction begins',
    );
    assert.equal(await stage.answer(stage.client.produce(stage.leader)), 'NONE');
    const before = await stage.answer(silent.committedFrom(stage, 0));
    assert.deepEqual(before, { batches: 0, aborted: 0, lastStableOffset: 0 });
    if (killed) {
      const of = world.lines().find(({ topic }) => topic === '__transaction_state');
      const coordinator = world.nodes[of?.leader?.id ?? -1];
      assert.ok(coordinator !== undefined);
      world.kill(coordinator);
      await world.run(3_000);
      world.start(coordinator);
    }
    await world.run(TIMEOUT_MS + 15_000);
    const { aborted, batches, lastStableOffset } = await stage.answer(
      silent.committedFrom(stage, 0),
    );
    assert.deepEqual([batches, aborted, lastStableOffset], [3, 1, 3], 'both records and a marker');
    // It is not the producer any more that it was.
    const late = await stage.answer(silent.write(stage, producerId, producerEpoch, 1));
    assert.ok(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'].includes(late), late);
  }
});
