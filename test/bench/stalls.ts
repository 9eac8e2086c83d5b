/**
 * For how long a good client has to wait beside clients that ask for as much as they can: for each API the
 * longest lists, and those requests that once held everybody up. `node test/bench/stalls.ts [elements] [api]`
 */
import { Writer } from '../../proto/kafka/cursor.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { apis } from '../../proto/kafka/messages/index.ts';
import { startBrokerRig } from '../support/broker-rig.ts';
import { longFrames } from '../support/hostile-frames.ts';
import { type Attack, measureStall } from '../support/stalls.ts';

const FOR_MS = 1_500;

export function requestOf(
  api: (typeof apis)[keyof typeof apis],
  version: number,
  body: object,
): Buffer {
  const w = new Writer(1024);
  requestHeader.write(w, api.request.isFlexible(version) ? 2 : 1, {
    requestApiKey: api.key,
    requestApiVersion: version,
    correlationId: 1,
    clientId: 'greedy',
  });
  api.request.write(w, version, body as never);
  return w.toBuffer();
}

/** Requests that were shown to hold up a broker. */
export function shownAttacks(): Attack[] {
  const resources = (count: number, of: (i: number) => object) =>
    Array.from({ length: count }, (_, i) => ({ configurationKeys: null, ...of(i) }));
  const describe = (list: object[]) =>
    requestOf(apis.DescribeConfigs, 4, {
      resources: list,
      includeSynonyms: true,
      includeDocumentation: true,
    });
  const names = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);
  return [
    { name: 'nothing', frame: requestOf(apis.ApiVersions, 0, {}), connections: 1, ahead: 1 },
    {
      name: 'DescribeConfigs: one broker 3,000 times',
      frame: describe(resources(3_000, () => ({ resourceType: 4, resourceName: '0' }))),
    },
    {
      name: 'DescribeConfigs: 3,000 groups',
      frame: describe(resources(3_000, (i) => ({ resourceType: 32, resourceName: `g${i}` }))),
    },
    {
      name: 'DescribeConfigs: one broker, 64 connections',
      frame: describe(resources(1, () => ({ resourceType: 4, resourceName: '0' }))),
      connections: 64,
      ahead: 100,
    },
    {
      name: 'Metadata: 100,000 topics',
      frame: requestOf(apis.Metadata, 9, {
        topics: names(100_000).map((name) => ({ name })),
        allowAutoTopicCreation: false,
      }),
    },
    {
      name: 'Metadata: everything, 64 connections',
      frame: requestOf(apis.Metadata, 9, { topics: null }),
      connections: 64,
      ahead: 200,
    },
    {
      name: 'ListOffsets: one partition 50,000 times',
      frame: requestOf(apis.ListOffsets, 6, {
        topics: [
          {
            name: 'ready',
            partitions: Array.from({ length: 50_000 }, () => ({
              partitionIndex: 0,
              timestamp: -1,
            })),
          },
        ],
      }),
    },
  ];
}

function show(name: string, of: Awaited<ReturnType<typeof measureStall>>): void {
  const n = (value: number) => value.toFixed(1).padStart(8);
  process.stdout.write(
    `${n(of.worstMs)}${n(of.produceP50Ms)}${n(of.produceP999Ms)}${n(of.produceMaxMs)}` +
      `${String(of.answers).padStart(8)}${String(of.closed).padStart(7)}${n(of.answerMiB)}${n(of.heapMiB)}  ${name}\n`,
  );
}

async function main([elements = '20000', only]: readonly string[]): Promise<void> {
  await using rig = await startBrokerRig();
  process.stdout.write('worst ms     p50   p99.9     max answers closed     MiB     RSS  attack\n');
  if (only === undefined)
    for (const attack of shownAttacks())
      show(attack.name, await measureStall(rig.port, attack, 2 * FOR_MS));
  for (const [name, api] of Object.entries(apis)) {
    if (only !== undefined && only !== name) continue;
    const version = api.request.versions[1];
    for (const [i, frame] of longFrames(api, version, Number(elements)).entries())
      show(`${name} v${version}, list ${i}`, await measureStall(rig.port, { name, frame }, FOR_MS));
  }
  for (const bug of rig.bugs) process.stdout.write(`BUG ${bug}\n`);
  for (const line of new Set(rig.errors)) process.stdout.write(`ERROR ${line}\n`);
}

if (process.argv[1] === import.meta.filename) await main(process.argv.slice(2));
