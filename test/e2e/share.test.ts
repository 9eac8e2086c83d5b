/** Share groups over the wire: what becomes of records whose reader is killed, and of groups without members. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { startTestCluster, type TestCluster, until } from '../support/local.ts';

let cluster: TestCluster;
let host: string;
let topicId = '';
let first: BrokerConnection;

before(async () => {
  cluster = await startTestCluster({ manifests: 'test/compare/cluster.yaml' });
  host = await cluster.address(0);
  first = await BrokerConnection.open(host, 9092);
  await first.send(apis.CreateTopics, 7, {
    timeoutMs: 10_000,
    topics: [{ name: 'shared', numPartitions: 1, replicationFactor: 1 }],
  });
  await until('records are taken', 20_000, async () => {
    const records = [
      buildBatch(
        Array.from({ length: 10 }, (_, i) => ({ key: null, value: Buffer.from(`${i}`) })),
        { timestampMs: 1 },
      ),
    ];
    const { responses } = await first.send(apis.Produce, 9, {
      acks: -1,
      timeoutMs: 5_000,
      topicData: [{ name: 'shared', partitionData: [{ index: 0, records: records as never }] }],
    });
    return responses[0]?.partitionResponses[0]?.errorCode === 0;
  });
  const { topics } = await first.send(apis.Metadata, 12, { topics: [{ name: 'shared' }] });
  topicId = topics[0]?.topicId ?? '';
});
after(async () => {
  first?.[Symbol.dispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** Says where the group begins, which makes it. */
async function begin(groupId: string): Promise<void> {
  await until('the group is told where to begin', 20_000, async () => {
    // As clients do; it is what makes the internal topics.
    await first.send(apis.FindCoordinator, 4, { keyType: 0, coordinatorKeys: [groupId] });
    const { errorCode, responses } = await first.send(apis.AlterShareGroupOffsets, 0, {
      groupId,
      topics: [{ topicName: 'shared', partitions: [{ partitionIndex: 0, startOffset: 0 }] }],
    });
    return errorCode === 0 && responses[0]?.partitions[0]?.errorCode === 0;
  });
}

/** A member of the group that has asked for records once; returns what it was given. */
async function take(
  connection: BrokerConnection,
  groupId: string,
  memberId: string,
  epoch: number,
) {
  if (epoch === 0) {
    const { errorCode } = await connection.send(apis.ShareGroupHeartbeat, 1, {
      groupId,
      memberId,
      memberEpoch: 0,
      subscribedTopicNames: ['shared'],
    });
    assert.equal(errorCode, 0);
  }
  const { errorCode, responses } = await connection.send(apis.ShareFetch, 1, {
    groupId,
    memberId,
    shareSessionEpoch: epoch,
    maxWaitMs: 200,
    maxBytes: 1_000_000,
    maxRecords: 100,
    batchSize: 100,
    topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }],
  });
  assert.equal(errorCode, 0);
  return responses.flatMap(({ partitions }) => partitions.flatMap((of) => of.acquiredRecords));
}

test('records of a reader that is killed go to another one at once, not when their locks end', async () => {
  await begin('killed');
  const killed = await BrokerConnection.open(host, 9092);
  assert.deepEqual(await take(killed, 'killed', 'AAAAAAAAAAAAAAAAAAAAAQ', 0), [
    { firstOffset: 0, lastOffset: 9, deliveryCount: 1 },
  ]);
  using other = await BrokerConnection.open(host, 9092);
  assert.deepEqual(await take(other, 'killed', 'AAAAAAAAAAAAAAAAAAAAAg', 0), []);
  killed[Symbol.dispose]();
  let epoch = 1;
  let given: Awaited<ReturnType<typeof take>> = [];
  await until('the other one has them', 5_000, async () => {
    given = await take(other, 'killed', 'AAAAAAAAAAAAAAAAAAAAAg', epoch++);
    return given.length > 0;
  });
  assert.deepEqual(given, [{ firstOffset: 0, lastOffset: 9, deliveryCount: 2 }]);
});

test('a request that waits gives nothing to a reader that is gone', async () => {
  await begin('waiting');
  const holder = await BrokerConnection.open(host, 9092);
  assert.equal((await take(holder, 'waiting', 'AAAAAAAAAAAAAAAAAAAAAQ', 0)).length, 1);
  const waiting = await BrokerConnection.open(host, 9092);
  const asked = take(waiting, 'waiting', 'AAAAAAAAAAAAAAAAAAAAAg', 0).catch(() => []);
  await until('both are members', 5_000, async () => {
    const { groups } = await first.send(apis.ShareGroupDescribe, 1, { groupIds: ['waiting'] });
    return groups[0]?.members.length === 2;
  });
  waiting[Symbol.dispose]();
  holder[Symbol.dispose]();
  assert.deepEqual(await asked, []);
  using other = await BrokerConnection.open(host, 9092);
  let epoch = 0;
  await until('somebody who lives has them', 5_000, async () => {
    const given = await take(other, 'waiting', 'AAAAAAAAAAAAAAAAAAAAAw', epoch++);
    return given.length > 0;
  });
});

test('a group that nobody has heard of is made by whoever says where it begins', async () => {
  await begin('early');
  const { groups } = await first.send(apis.ShareGroupDescribe, 1, { groupIds: ['early'] });
  assert.deepEqual(
    groups.map(({ errorCode, groupState, members }) => [errorCode, groupState, members.length]),
    [[0, 'Empty', 0]],
  );
});
