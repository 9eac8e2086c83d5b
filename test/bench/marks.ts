/**
 * `npm run marks`: quality marks that are numbers but no throughput. One broker, real processes:
 * loading groups and offsets, a rebalance of many members, many idle connections, codec cost.
 */
import net from 'node:net';
import { BrokerConnection } from '../../client/connection.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { sleepMs, startTestCluster, until } from '../support/local.ts';
import { residentMiB } from './process-cost.ts';

const GROUPS = 10_000;
const OFFSETS_PER_GROUP = 10;
const MEMBERS = 1_000;
const CONNECTIONS = 10_000;

const say = (what: string, figure: string) => process.stdout.write(`${what.padEnd(64)}${figure}\n`);

await using cluster = await startTestCluster({ manifests: 'test/compare/cluster.yaml' });
const host = await cluster.address(0);
const open = () => BrokerConnection.open(host, 9092);
const resident = () => residentMiB([cluster.pid(0)]);

async function coordinatorReady(connection: BrokerConnection, key: string): Promise<void> {
  await until('the coordinator is there', 30_000, async () => {
    const { coordinators } = await connection.send(apis.FindCoordinator, 4, {
      coordinatorKeys: [key],
    });
    return coordinators[0]?.errorCode === 0;
  });
}

{
  using connection = await open();
  await connection.send(apis.CreateTopics, 7, {
    timeoutMs: 20_000,
    topics: [{ name: 'marks', numPartitions: OFFSETS_PER_GROUP, replicationFactor: 1 }],
  });
  await coordinatorReady(connection, 'g0');
  const startedMs = performance.now();
  const partitions = Array.from({ length: OFFSETS_PER_GROUP }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: partitionIndex,
    committedMetadata: '',
  }));
  for (let from = 0; from < GROUPS; from += 100) {
    const some = Array.from({ length: 100 }, (_, i) => `g${from + i}`);
    await Promise.all(
      some.map(async (groupId) => {
        const body = { groupId, topics: [{ name: 'marks', partitions }] };
        for (;;) {
          const answer = await connection.send(apis.OffsetCommit, 8, body);
          const code = answer.topics[0]?.partitions[0]?.errorCode ?? -1;
          if (code === 0) return;
          if (code !== 14 && code !== 15 && code !== 16 && code !== 3)
            throw new Error(`error ${code}`);
          await sleepMs(50);
        }
      }),
    );
  }
  say(
    `commit ${GROUPS} groups × ${OFFSETS_PER_GROUP} offsets`,
    `${((performance.now() - startedMs) / 1000).toFixed(2)} s`,
  );
}
process.kill(cluster.pid(0), 'SIGKILL');
const killedMs = performance.now();
let upMs = 0;
await until('every offset can be read again', 60_000, async () => {
  try {
    using connection = await open();
    if (upMs === 0) upMs = performance.now();
    const groups = Array.from({ length: 8 }, (_, i) => ({ groupId: `g${i * 1201}`, topics: null }));
    const answer = await connection.send(apis.OffsetFetch, 8, { groups } as never);
    return answer.groups.every((group) => group.errorCode === 0 && group.topics.length === 1);
  } catch {
    return false;
  }
});
say(
  `load ${GROUPS * OFFSETS_PER_GROUP} offsets: from listening to readable`,
  `${(performance.now() - upMs).toFixed(0)} ms`,
);
say('kill -9 to readable', `${(performance.now() - killedMs).toFixed(0)} ms`);

{
  const connections = await Promise.all(Array.from({ length: 50 }, open));
  const at = (i: number) => connections[i % connections.length] as BrokerConnection;
  const join = (i: number, memberId: string) =>
    at(i).send(apis.JoinGroup, 5, {
      groupId: 'many',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(40) }],
    });
  const ids = await Promise.all(
    Array.from({ length: MEMBERS }, async (_, i) => (await join(i, '')).memberId),
  );
  const rebalance = async () => {
    const startedMs = performance.now();
    const joined = await Promise.all(ids.map((id, i) => join(i, id)));
    const leader = joined.find(({ members }) => members.length > 0);
    await Promise.all(
      joined.map(({ memberId, generationId }, i) =>
        at(i).send(apis.SyncGroup, 3, {
          groupId: 'many',
          generationId,
          memberId,
          assignments:
            memberId === leader?.memberId
              ? ids.map((id) => ({ memberId: id, assignment: Buffer.alloc(30) }))
              : [],
        }),
      ),
    );
    if (joined.some(({ errorCode }) => errorCode !== 0)) throw new Error('a join failed');
    return performance.now() - startedMs;
  };
  say(`a group of ${MEMBERS} members forms`, `${((await rebalance()) / 1000).toFixed(2)} s`);
  for (const connection of connections) connection[Symbol.dispose]();
}

{
  const before = resident();
  const sockets: net.Socket[] = [];
  for (let i = 0; i < CONNECTIONS; i += 200) {
    await Promise.all(
      Array.from(
        { length: 200 },
        () =>
          new Promise<void>((resolve, reject) => {
            const socket = net.connect(9092, host, resolve);
            socket.on('error', reject);
            sockets.push(socket);
          }),
      ),
    );
  }
  await sleepMs(1500);
  const after = resident();
  say(
    `${CONNECTIONS} idle connections, resident`,
    `${after.toFixed(0)} MiB (before ${before.toFixed(0)} MiB)`,
  );
  for (const socket of sockets) socket.destroy();
}

{
  const { request } = apis.Heartbeat;
  const bytes = request.encode(
    { groupId: 'group', generationId: 3, memberId: 'member-1', groupInstanceId: null },
    4,
  );
  const timed = (label: string, run: () => void) => {
    for (let i = 0; i < 20_000; i++) run();
    const startedMs = performance.now();
    for (let i = 0; i < 200_000; i++) run();
    say(label, `${(((performance.now() - startedMs) * 1000) / 200_000).toFixed(2)} µs`);
  };
  timed('codec: decode a Heartbeat request', () => void request.decode(bytes, 4));
  timed(
    'codec: encode a Heartbeat response',
    () => void apis.Heartbeat.response.encode({ errorCode: 0 }, 4),
  );
}
