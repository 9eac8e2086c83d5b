/**
 * `npm run bench -- --growth`: what a record costs as everything around it grows: partitions, connections,
 * groups, the log; and what readers of a backlog do to those at its end. One broker.
 */
import net from 'node:net';
import { BrokerConnection } from '../../../client/connection.ts';
import { apis } from '../../../proto/kafka/messages/index.ts';
import { sleepMs, until } from '../../support/local.ts';
import { cpuSeconds, residentMiB } from '../process-cost.ts';
import { machine, writeSection } from './document.ts';
import { LoadRun, load, type Options } from './load.ts';
import { type System, tenure } from './systems.ts';

/** Single-record requests a second: enough to see their cost, far from saturation. */
const RATE = 1000;
const SECONDS = 8;

interface Row {
  readonly what: string;
  readonly size: string;
  readonly cpuMicros: number;
  readonly p50: number;
  readonly p99: number;
  readonly mib: number;
}

class Growth {
  readonly rows: Row[] = [];
  private readonly system: System;

  constructor(system: System) {
    this.system = system;
  }

  options(more: Options): Options {
    return { bootstrap: this.system.bootstrap, ...more };
  }

  /** What one single-record request costs now. */
  async measure(what: string, size: string, of: { topic: string; partitions: number }) {
    const { system } = this;
    const run = new LoadRun('latency', this.options({ ...of, rate: RATE, seconds: SECONDS }));
    await run.next();
    const before = cpuSeconds(system.pids());
    const facts = await run.next();
    if (facts.failed !== 0) throw new Error(`${facts.failed} requests failed`);
    const cpu = cpuSeconds(system.pids()) - before;
    const row = {
      what,
      size,
      cpuMicros: (cpu / (RATE * SECONDS)) * 1e6,
      p50: Number(facts.p50),
      p99: Number(facts.p99),
      mib: residentMiB(system.pids()),
    };
    this.rows.push(row);
    process.stderr.write(`${rowText(row)}\n`);
  }
}

const rowText = ({ what, size, cpuMicros, p50, p99, mib }: Row) =>
  `| ${what} | ${size} | ${cpuMicros.toFixed(0)} | ${p50.toFixed(2)} | ${p99.toFixed(1)} | ${mib.toFixed(0)} |`;

async function partitions(growth: Growth): Promise<void> {
  for (const count of [1, 10, 100, 1000, 10_000]) {
    const topic = `p${count}`;
    await load('create', growth.options({ topic, partitions: count, replicas: 1 }));
    await growth.measure('partitions', `${count}`, { topic, partitions: count });
  }
}

async function connections(growth: Growth, host: string, port: number): Promise<void> {
  const open: net.Socket[] = [];
  for (const count of [1, 500, 5000]) {
    while (open.length < count) {
      const socket = net.connect({ host, port });
      socket.on('error', () => {});
      await new Promise((done) => socket.once('connect', done));
      open.push(socket);
    }
    await growth.measure('idle connections', `${count}`, { topic: 'p10', partitions: 10 });
  }
  for (const socket of open) socket.destroy();
}

async function groups(growth: Growth, host: string, port: number): Promise<void> {
  using connection = await BrokerConnection.open(host, port);
  await until('the coordinator is there', 30_000, async () => {
    const { coordinators } = await connection.send(apis.FindCoordinator, 4, {
      coordinatorKeys: ['g0'],
    });
    return coordinators[0]?.errorCode === 0;
  });
  let made = 0;
  const partition = { partitionIndex: 0, committedOffset: 1, committedMetadata: '' };
  const commit = async (groupId: string) => {
    const topics = [{ name: 'p10', partitions: [partition] }];
    await until(`${groupId} has an offset`, 30_000, async () => {
      const answer = await connection.send(apis.OffsetCommit, 8, { groupId, topics });
      return answer.topics[0]?.partitions[0]?.errorCode === 0;
    });
  };
  for (const count of [1, 1000, 10_000]) {
    while (made < count) {
      const some = Array.from({ length: Math.min(200, count - made) }, () => `g${made++}`);
      await Promise.all(some.map(commit));
    }
    await growth.measure('groups with offsets', `${count}`, { topic: 'p10', partitions: 10 });
  }
}

async function logSize(growth: Growth): Promise<void> {
  await load('create', growth.options({ topic: 'log', partitions: 6, replicas: 1 }));
  let written = 0;
  for (const gigabytes of [1, 20]) {
    while (written < gigabytes * 1e9) {
      const more = { topic: 'log', partitions: 6, seconds: 2, 'batch-bytes': 131_072 };
      written += Number((await load('produce', growth.options(more))).bytes);
    }
    // What was written so fast is written back first.
    await sleepMs(10_000);
    const size = `${(written / 1e9).toFixed(0)} GB`;
    await growth.measure('log size', size, { topic: 'log', partitions: 6 });
  }
  const reading = new LoadRun('consume', growth.options({ topic: 'log', partitions: 6 }));
  await sleepMs(2000);
  const beside = { topic: 'p10', partitions: 10 };
  await growth.measure('beside a reader of that log', 'from its beginning', beside);
  await reading.next();
}

/** @param write whether the table goes into docs/benchmarks.md */
export async function growthBench(write: boolean): Promise<void> {
  const system = await tenure.start(1, () => {});
  const growth = new Growth(system);
  await sleepMs(3000);
  await load('create', growth.options({ topic: 'warm', partitions: 6, replicas: 1 }));
  await load('produce', growth.options({ topic: 'warm', partitions: 6, seconds: 3 }));
  const { host, port } = await system.address();
  await partitions(growth);
  await connections(growth, host, port);
  await groups(growth, host, port);
  await logSize(growth);
  const head = [
    '| what grows | to | broker CPU µs/request | p50 ms | p99 ms | resident MiB |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
  ];
  const table = [...head, ...growth.rows.map(rowText)];
  process.stdout.write(`\n${table.join('\n')}\n`);
  if (write)
    writeSection('growth', [
      '```',
      'npm run bench -- --growth',
      '```',
      '',
      machine(),
      '',
      ...table,
    ]);
  await system[Symbol.asyncDispose]();
}
