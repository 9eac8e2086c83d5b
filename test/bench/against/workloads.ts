/** What is asked of each system, and what is measured meanwhile. */

import { sleepMs } from '../../support/local.ts';
import { cpuSeconds, residentMiB } from '../process-cost.ts';
import { type Facts, LoadRun, load, type Options } from './load.ts';
import { type Contender, type Measured, type System, startFloor } from './systems.ts';

/** A figure of one system in one round, by name; units are in the names. */
export type Figures = Record<string, number>;

export interface Plan {
  /** How long each load runs. */
  readonly seconds: number;
  readonly say: (what: string) => void;
}

const number = (facts: Facts, name: string) => Number(facts[name]);

function must(facts: Facts): Facts {
  if (facts.failed !== undefined && facts.failed !== 0)
    throw new Error(`${facts.failed} requests failed`);
  if (facts.errors !== undefined && facts.errors !== 0)
    throw new Error(`${facts.errors} records failed: ${facts.error}`);
  if (facts.complete === false) throw new Error('not everything was read');
  return facts;
}

class Stage {
  readonly figures: Figures = {};
  private readonly system: Measured;
  private readonly plan: Plan;

  constructor(system: Measured, plan: Plan) {
    this.system = system;
    this.plan = plan;
  }

  note(name: string, value: number): void {
    this.figures[name] = value;
    this.plan.say(`${name} = ${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}`);
  }

  options(more: Options): Options {
    return { bootstrap: this.system.bootstrap, seconds: this.plan.seconds, ...more };
  }

  async topic(topic: string, partitions: number, replicas: number): Promise<Facts> {
    return must(await load('create', this.options({ topic, partitions, replicas })));
  }

  /** Runs a load; returns what it said and what the brokers spent on it. */
  async run(
    command: string,
    more: Options,
  ): Promise<{ facts: Facts; cpu: number; peakMiB: number }> {
    const { system } = this;
    let peakMiB = 0;
    const timer = setInterval(() => {
      peakMiB = Math.max(peakMiB, residentMiB(system.pids()));
    }, 200);
    const before = cpuSeconds(system.pids());
    try {
      const run = new LoadRun(command, this.options(more));
      if (command === 'latency') await run.next();
      const facts = must(await run.next());
      return { facts, cpu: cpuSeconds(system.pids()) - before, peakMiB };
    } finally {
      clearInterval(timer);
    }
  }

  /** Topics of one partition, made with one request. */
  async thousandTopics(replicas: number): Promise<void> {
    const made = must(
      await load('topics', this.options({ topic: 'many', partitions: 1000, replicas })),
    );
    this.note(`1,000 topics RF=${replicas}, known, ms`, number(made, 'known'));
    this.note(`1,000 topics RF=${replicas}, each acknowledged, ms`, number(made, 'whole'));
  }

  async drop(topic: string): Promise<void> {
    await load('delete', this.options({ topic }));
    await sleepMs(2500);
  }

  /** Lets compilers and caches do what they do once, before anything is measured. */
  async warmUp(replicas: number): Promise<void> {
    await this.topic('warm', 6, replicas);
    for (const kib of [16, 128])
      must(
        await load(
          'produce',
          this.options({ topic: 'warm', partitions: 6, 'batch-bytes': kib * 1024 }),
        ),
      );
    await this.drop('warm');
  }

  /** Produces as fast as it goes. */
  async produce(name: string, of: { topic: string; partitions: number; batchBytes: number }) {
    const { facts, cpu, peakMiB } = await this.run('produce', {
      topic: of.topic,
      partitions: of.partitions,
      'batch-bytes': of.batchBytes,
    });
    const bytes = number(facts, 'bytes');
    this.note(`${name}, MB/s`, bytes / 1e6 / number(facts, 'seconds'));
    this.note(`${name}, broker CPU-s/GB`, cpu / (bytes / 1e9));
    return peakMiB;
  }

  /** One record a request, one producer. */
  async singles(): Promise<void> {
    for (const rate of [1000, 5000])
      await this.latency(`latency RF=1 ${rate}/s`, { topic: 'single', partitions: 6, rate });
  }

  async manyProducers(): Promise<void> {
    const of = { topic: 'thousand', partitions: 1000, producers: 200, rate: 2000 };
    await this.latency('200 producers, 1,000 partitions, 2000/s', of);
  }

  async latency(name: string, more: Options): Promise<void> {
    const { facts } = await this.run('latency', more);
    for (const at of ['p50', 'p99', 'p999']) this.note(`${name}, ${at} ms`, number(facts, at));
  }
}

/** Starts a system; notes the time until the first record is acknowledged. */
async function startStage(
  contender: Contender,
  brokers: number,
  plan: Plan,
): Promise<{ stage: Stage; system: System }> {
  let first: Promise<Facts> | null = null;
  let begunAt = 0;
  const system = await contender.start(brokers, (bootstrap) => {
    begunAt = Date.now();
    first = load('first', { bootstrap, topic: 'first' });
  });
  const stage = new Stage(system, plan);
  const facts = await (first as unknown as Promise<Facts>);
  stage.note(`everything from nothing, ${brokers} brokers, ms`, number(facts, 'at') - begunAt);
  return { stage, system };
}

/** From the beginning of a broker's process until it acknowledges a record. */
async function restart(
  stage: Stage,
  system: System,
  of: { name: string; topic: string; signal: 'SIGTERM' | 'SIGKILL' },
): Promise<void> {
  // Neither the client's own start is measured, nor who tells it that a broker is ready: it knows the broker.
  const { host, port } = await system.address();
  const bootstrap = `${host}:${port}`;
  const client = new LoadRun('first', { bootstrap, topic: of.topic, wait: 1 });
  await client.next();
  const begunAt = await system.restart(0, of.signal);
  client.go();
  const facts = await client.next();
  stage.note(of.name, number(facts, 'at') - begunAt);
}

/** One broker, no replication. */
export async function alone(contender: Contender, plan: Plan): Promise<Figures> {
  const { stage, system } = await startStage(contender, 1, plan);
  await using _ = system;
  await sleepMs(15_000);
  const idleBefore = cpuSeconds(system.pids());
  await sleepMs(10_000);
  stage.note('idle, % of a core', (cpuSeconds(system.pids()) - idleBefore) * 10);
  stage.note('idle, MiB', residentMiB(system.pids()));
  await restart(stage, system, { name: 'start, empty, ms', topic: 'first', signal: 'SIGTERM' });
  await stage.warmUp(1);

  const peaks: number[] = [];
  for (const kib of [16, 128]) {
    const topic = `alone-${kib}`;
    await stage.topic(topic, 6, 1);
    peaks.push(
      await stage.produce(`produce RF=1 ${kib} KiB`, {
        topic,
        partitions: 6,
        batchBytes: kib * 1024,
      }),
    );
    // Its pages are what the next load writes to.
    if (kib === 16) await stage.drop(topic);
  }
  stage.note('under load, MiB', Math.max(...peaks));
  const warm = await stage.run('consume', { topic: 'alone-128', partitions: 6 });
  const warmBytes = number(warm.facts, 'bytes');
  stage.note('consume a warm log, MB/s', warmBytes / 1e6 / number(warm.facts, 'seconds'));
  stage.note('consume a warm log, broker CPU-s/GB', warm.cpu / (warmBytes / 1e9));
  await tail(stage, system, plan);

  await stage.drop('alone-128');
  await stage.topic('single', 6, 1);
  await sleepMs(5000);
  await stage.singles();

  const made = await stage.topic('thousand', 1000, 1);
  stage.note('1,000 partitions RF=1, known, ms', number(made, 'known'));
  stage.note('1,000 partitions RF=1, each acknowledged, ms', number(made, 'whole'));
  await sleepMs(3000);
  stage.note('1,000 partitions, MiB', residentMiB(system.pids()));
  await stage.manyProducers();
  const topic = 'thousand';
  const name = 'start, 1,000 partitions, ms';
  await restart(stage, system, { name, topic, signal: 'SIGTERM' });
  await sleepMs(3000);
  const killed = 'start after kill -9, 1,000 partitions, ms';
  await restart(stage, system, { name: killed, topic, signal: 'SIGKILL' });
  await sleepMs(3000);
  await stage.thousandTopics(1);
  return stage.figures;
}

/** The same records to a server that does nothing with them. */
export async function clientAlone(plan: Plan): Promise<Figures> {
  await using system = await startFloor({ single: 6, thousand: 1000 });
  const stage = new Stage(system, plan);
  await stage.singles();
  await stage.manyProducers();
  return stage.figures;
}

/** What two consumers at the end of a log add to the cost of the same paced load. */
async function tail(stage: Stage, system: System, plan: Plan): Promise<void> {
  const topic = 'alone-128';
  const paced = { topic, partitions: 6, 'batch-bytes': 16 * 1024, rate: 40 };
  const without = await stage.run('paced', paced);
  const consumers = [1, 2].map(
    () => new LoadRun('tail', stage.options({ topic, partitions: 6, seconds: plan.seconds + 2 })),
  );
  for (const consumer of consumers) await consumer.next();
  const before = cpuSeconds(system.pids());
  const withThem = await stage.run('paced', paced);
  const read = await Promise.all(consumers.map((consumer) => consumer.next()));
  const cpu = cpuSeconds(system.pids()) - before;
  const bytes = read.reduce((sum, facts) => sum + number(facts, 'bytes'), 0);
  const produced = number(withThem.facts, 'bytes') / number(without.facts, 'bytes');
  stage.note(
    'consume at the tail, broker CPU-s/GB',
    Math.max(cpu - without.cpu * produced, 0) / (bytes / 1e9),
  );
}

/** Three brokers, three replicas, two of them must acknowledge. */
export async function replicated(contender: Contender, plan: Plan): Promise<Figures> {
  const { stage, system } = await startStage(contender, 3, plan);
  await using _ = system;
  await sleepMs(3000);
  await stage.warmUp(3);
  for (const kib of [16, 128]) {
    const topic = `replicated-${kib}`;
    await stage.topic(topic, 6, 3);
    const batchBytes = kib * 1024;
    await stage.produce(`produce RF=3 ${kib} KiB`, { topic, partitions: 6, batchBytes });
    await stage.drop(topic);
  }
  await stage.topic('single', 6, 3);
  await sleepMs(5000);
  await stage.latency('latency RF=3 1000/s', { topic: 'single', partitions: 6, rate: 1000 });
  const made = await stage.topic('thousand', 1000, 3);
  stage.note('1,000 partitions RF=3, known, ms', number(made, 'known'));
  stage.note('1,000 partitions RF=3, each acknowledged, ms', number(made, 'whole'));
  await stage.thousandTopics(3);
  await sleepMs(3000);
  const run = new LoadRun(
    'latency',
    stage.options({ topic: 'single', partitions: 6, rate: 200, seconds: 20 }),
  );
  await run.next();
  await sleepMs(2000);
  await system.kill(1);
  const facts = must(await run.next());
  stage.note(
    'kill -9 of one broker of three, longest silence of a producer, ms',
    number(facts, 'gap'),
  );
  return stage.figures;
}
