import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionLine } from '../kube/partition-line.ts';
import { MalformedMessage } from '../proto/kafka/cursor.ts';
import { codeOf } from '../proto/kafka/errors.ts';
import { buildBatch } from '../proto/kafka/record-batch.ts';
import { DiskError } from '../stdx/disk.ts';
import { memoryDisk } from '../stdx/disk-memory.ts';
import { createLogger } from '../stdx/logger.ts';
import { Turn } from '../stdx/turn.ts';
import { clockOf, Process, Scheduler } from '../test/sim/scheduler.ts';
import { logConfig } from '../test/support/log-config.ts';
import { partitionRules } from '../test/support/replica-pair.ts';
import { describeLogDirs } from './api/35-describe-log-dirs.ts';
import { FullDirectories } from './full-directories.ts';
import { FileCache } from './log/file-cache.ts';
import { LogDirectories } from './log/log-directories.ts';
import type { LogDirectory } from './log/log-directory.ts';
import { DamagedLog } from './log/stored-batches.ts';
import { TailMemory } from './log/tail-memory.ts';
import type { BrokerView } from './metadata/election-core.ts';
import { withdraw } from './metadata/election-core.ts';
import { OfflineReplicas } from './offline-replicas.ts';
import { TURN_PHASES } from './partition/partition.ts';
import { Partitions } from './partition/partitions.ts';
import { Replicas } from './replicas.ts';
import type { WishMessage } from './replication/services.ts';

const SELF = { id: 1, epoch: 7 };
const rules = { minInsyncReplicas: 1, uncleanLeaderElection: false };
const logger = {
  ...createLogger({ level: 'error', format: 'text' }),
  info() {},
  warn() {},
  error() {},
};
const lineOf = (partition: number, others: readonly number[] = [2]): PartitionLine => ({
  topic: 't',
  topicId: 'x',
  partition,
  leader: SELF,
  leaderEpoch: 1,
  partitionEpoch: 1,
  replicas: [1, 2],
  isr: [SELF, ...others.map((id) => ({ id, epoch: 4 }))],
  elr: [],
  adding: [],
  removing: [],
});

/** A broker with log directories `/a` and `/b`, as far as their failing goes, beside a controller. */
class Stage {
  readonly disk = memoryDisk();
  readonly scheduler = new Scheduler();
  readonly clock = clockOf(this.scheduler, new Process('one'), {
    skewMs: 0,
    rate: 1,
  });
  readonly partitions = new Partitions();
  readonly lines = new Map<number, PartitionLine>();
  readonly asked: WishMessage[] = [];
  readonly events: string[] = [];
  isControllerHere = true;
  ended = 0;
  unopened = 0;
  other: BrokerView = {
    id: 2,
    epoch: 4,
    live: true,
    draining: false,
    keptSince: 0,
    rack: null,
  };
  directories!: LogDirectories;
  replicas!: Replicas;

  begin(paths = ['/a', '/b']): this {
    const { clock, disk } = this;
    const files = new FileCache(disk, 10);
    this.directories = new LogDirectories(
      { disk, files, tail: new TailMemory(1e5), logger },
      paths,
      'boot',
    );
    const newId = () => `id-${disk.files.size}`;
    this.directories.claim({ clusterId: 'c', nodeId: 1, newId });
    const image = {
      line: (_: string, partition: number) => this.lines.get(partition) ?? null,
      topicConfig: () => ({}),
      clusterConfig: {},
    };
    const full = new FullDirectories({
      clock,
      logger,
      directories: this.directories,
      partitions: this.partitions,
      replicas: () => this.replicas,
      onChange: () => {},
    });
    new OfflineReplicas({
      api: {
        create: async (_: unknown, event: { message: string }) =>
          void this.events.push(event.message),
      } as never,
      clock,
      logger,
      image,
      directories: this.directories,
      controller: { changePartitions: async (wishes) => this.decide(wishes) },
      self: () => SELF,
      object: () => ({ metadata: { name: 'b' } }) as never,
      onOffline: (directory, cause) => this.replicas.endDirectory(directory, cause),
      onFull: (directory) => full.add(directory),
      onLast: () => void this.ended++,
    });
    const { directories, partitions } = this;
    this.replicas = new Replicas({
      clock,
      turn: new Turn(clock, TURN_PHASES, (cause) => {
        throw cause;
      }),
      logger,
      image: image as never,
      directories,
      partitions,
      followers: { update() {}, forget() {} } as never,
      self: () => SELF,
      isApiAway: () => false,
      onDamage: () => {},
      onStorageFailure: ({ log }, cause) => directories.failures.note(directories.of(log), cause),
      onUnopened: () => void this.unopened++,
      onIsrChange: () => {},
      onInternal: () => {},
    });
    this.replicas.rulesOf = () =>
      ({ log: logConfig(), partition: partitionRules, line: rules, fileDeleteDelayMs: 1 }) as never;
    return this;
  }

  private decide(wishes: readonly WishMessage[]) {
    this.asked.push(...wishes);
    if (!this.isControllerHere) return { accepted: false, results: [] };
    const own: BrokerView = { ...this.other, ...SELF, live: true };
    const brokers = new Map([own, this.other].map((view) => [view.id, view]));
    const results = wishes.map(({ isWhole, member, partition }) => {
      const line = this.lines.get(partition) as PartitionLine;
      const next = withdraw(line, member ?? SELF, brokers, rules, isWhole);
      if ('error' in next) return { errorCode: codeOf(next.error), message: next.message };
      this.lines.set(partition, next);
      return { errorCode: 0, message: '' };
    });
    return { accepted: true, results };
  }

  place(line: PartitionLine) {
    this.lines.set(line.partition, line);
    this.replicas.place(line);
    return this.partitions.get('x', line.partition);
  }

  async produce(partition: number): Promise<string> {
    const record = { key: null, value: Buffer.from('v') };
    const bytes = buildBatch([record], { timestampMs: 1 });
    let answer = 'none';
    this.partitions
      .get('x', partition)
      ?.produce(bytes, { acks: 1, timeoutMs: 1000 }, ({ error }) => {
        answer = error;
      });
    await this.pass(5);
    return answer;
  }

  pass(ms: number): Promise<void> {
    return this.scheduler.runUntil(this.scheduler.nowMs + ms);
  }

  names(partition: number): number[] {
    const { elr, isr, leader } = this.lines.get(partition) as PartitionLine;
    return [...isr, ...elr, ...(leader === null ? [] : [leader])].map(({ id }) => id);
  }

  fail(path: string, code = 'EIO'): void {
    const directory = this.directories.at(path) as LogDirectory;
    this.directories.failures.note(
      directory,
      new DiskError(path, Object.assign(new Error(code), { code })),
    );
  }
}

/** Four replicas, two in each directory; the last one of `/b` is the only copy in sync. */
async function stage(): Promise<Stage> {
  const made = new Stage().begin();
  for (const partition of [0, 1, 2]) made.place(lineOf(partition));
  made.place(lineOf(3, []));
  for (const partition of [0, 1, 2, 3]) assert.equal(await made.produce(partition), 'NONE');
  return made;
}
const roleOf = (on: Stage, partition: number) => on.partitions.get('x', partition)?.role;
const OFFLINE = { kind: 'offline', why: 'KAFKA_STORAGE_ERROR' } as const;

test('a write that a disk refuses ends its directory, and the others go on', async () => {
  const on = await stage();
  on.disk.failingPath = '/b/t-1/';
  assert.equal(await on.produce(1), 'KAFKA_STORAGE_ERROR');
  assert.deepEqual([roleOf(on, 1), roleOf(on, 3)], [OFFLINE, OFFLINE]);
  assert.equal(await on.produce(3), 'KAFKA_STORAGE_ERROR');
  for (const partition of [0, 2]) assert.equal(await on.produce(partition), 'NONE');
  assert.equal(on.ended, 0);
  assert.deepEqual(
    on.directories.working.map(({ path }) => path),
    ['/a'],
  );
  assert.match(on.events.join(), /^\/b: .*; 1 of 2 go on$/);
});

test('others take over what lay there, but the last copy stays named, until somebody else is in sync', async () => {
  const on = await stage();
  on.isControllerHere = false;
  on.fail('/b');
  await on.pass(2000);
  assert.deepEqual(on.names(1), [1, 2, 1], 'nobody decided anything yet');
  on.isControllerHere = true;
  await on.pass(2000);
  assert.deepEqual([on.names(1), on.lines.get(1)?.leaderEpoch], [[2, 2], 2]);
  assert.deepEqual(on.names(3), [1, 1]);
  for (const partition of [0, 2]) assert.deepEqual(on.names(partition), [1, 2, 1]);
  const asked = on.asked.length;
  await on.pass(4000);
  assert.ok(on.asked.length <= asked + 1, 'a last copy is asked about seldom');
  const line = lineOf(3);
  on.place({ ...line, leaderEpoch: 5, partitionEpoch: 9 });
  assert.deepEqual(roleOf(on, 3), OFFLINE, 'no line brings it back in this life');
  await on.pass(3000);
  assert.deepEqual(on.names(3), [2, 2]);
});

test('a follower whose disk failed is taken out, however often it is let in again', async () => {
  const on = await stage();
  const other = { id: 2, epoch: 4 };
  on.place({ ...lineOf(1), leader: other, leaderEpoch: 2, partitionEpoch: 2 });
  on.fail('/b');
  await on.pass(2000);
  assert.deepEqual(on.names(1), [2, 2]);
  on.place({ ...lineOf(1), leader: other, leaderEpoch: 4, partitionEpoch: 9 });
  await on.pass(3000);
  assert.deepEqual([on.names(1), on.lines.get(1)?.leaderEpoch], [[2, 2], 5]);
});

test('checkpoints that cannot be written fail their directory', async () => {
  const on = await stage();
  const before = { ...on.disk };
  on.disk.replaceFile = (path, content) => {
    if (path.startsWith('/b/'))
      throw new DiskError(path, Object.assign(new Error(), { code: 'EIO' }));
    before.replaceFile(path, content);
  };
  on.directories.checkpoint(on.partitions);
  assert.deepEqual([roleOf(on, 0)?.kind, roleOf(on, 1)], ['leader', OFFLINE]);
});

test('the last directory that works takes the broker with it', async () => {
  const on = await stage();
  on.fail('/b');
  assert.equal(on.ended, 0);
  on.disk.failingPath = '/a/t-0/';
  assert.equal(await on.produce(0), 'KAFKA_STORAGE_ERROR');
  await on.pass(6000);
  assert.equal(on.ended, 1);
});

test('a broker that ends with its only disk leaves nobody who counts on it, where there are others', async () => {
  const on = new Stage().begin(['/a']);
  on.place(lineOf(0));
  on.place(lineOf(1, []));
  on.disk.failingPath = '/a/t-0/';
  assert.equal(await on.produce(0), 'KAFKA_STORAGE_ERROR');
  assert.equal(on.ended, 0, 'first the others');
  await on.pass(2000);
  assert.equal(on.ended, 1);
  assert.deepEqual(
    [on.names(0), on.names(1)],
    [
      [2, 2],
      [1, 1],
    ],
  );
});

test('a broker whose only disk failed ends, also where no controller answers', async () => {
  const on = new Stage().begin(['/a']);
  on.place(lineOf(0));
  on.isControllerHere = false;
  on.fail('/a');
  await on.pass(6000);
  assert.equal(on.ended, 1);
});

test('a new replica goes where a disk works; what lies in a failed directory is not made elsewhere', async () => {
  const on = await stage();
  on.fail('/b');
  for (const partition of [4, 5])
    assert.match(on.place(lineOf(partition))?.log.folder ?? '', /^\/a\//);
  // Moved away, and back again.
  on.replicas.place({ ...lineOf(1), replicas: [2], isr: [{ id: 2, epoch: 4 }], partitionEpoch: 8 });
  assert.ok(on.partitions.get('x', 1) === null);
  const back = { ...lineOf(1), isr: [{ id: 2, epoch: 4 }], leader: { id: 2, epoch: 4 } };
  assert.ok(on.place({ ...back, partitionEpoch: 9 }) === null);
  assert.equal(on.disk.exists('/a/t-1'), false);
  assert.ok(on.disk.exists('/b/t-1/partition.metadata'), 'it is found where it lay');
  assert.equal(on.unopened, 0);
});

test('DescribeLogDirs names the directory that failed, and says nothing more of it', async () => {
  const on = await stage();
  on.fail('/b');
  const ports = { logDirectories: on.directories, partitions: () => on.partitions };
  const { handle } = describeLogDirs(ports as never);
  const { results } = (await handle({ topics: null } as never, {} as never)) as unknown as {
    results: { logDir: string; errorCode: number; topics: unknown[]; totalBytes: number }[];
  };
  assert.deepEqual(
    results.map(({ errorCode, logDir, topics }) => [logDir, errorCode, topics.length]),
    [
      ['/a', 0, 1],
      ['/b', codeOf('KAFKA_STORAGE_ERROR'), 0],
    ],
  );
  assert.equal(results[1]?.totalBytes, -1);
});

/** The next life of that broker, before it opens anything. */
function keepsWrites(on: Stage): boolean {
  const { disk } = on;
  const next = new Stage();
  Object.assign(next, { disk });
  return next.begin().directories.keptWrites;
}

test('the next life has no standing while others could lead what lay there, nor longer', async () => {
  const on = await stage();
  on.directories.noteLife({ epoch: 7, keptSince: 1, incarnation: 'i' });
  assert.equal(keepsWrites(on), true);
  on.isControllerHere = false;
  on.fail('/b');
  assert.equal(keepsWrites(on), false, 'at once');
  await on.pass(3000);
  assert.equal(keepsWrites(on), false);
  on.isControllerHere = true;
  await on.pass(6000);
  assert.deepEqual(
    [on.names(1), on.names(3)],
    [
      [2, 2],
      [1, 1],
    ],
  );
  assert.equal(keepsWrites(on), true, 'the last copy is better than none');
});

test('a full disk costs no standing', async () => {
  const on = await stage();
  on.directories.noteLife({ epoch: 7, keptSince: 1, incarnation: 'i' });
  on.isControllerHere = false;
  on.fail('/b', 'ENOSPC');
  await on.pass(1000);
  assert.equal(keepsWrites(on), true);
});

test('at the start a full directory is offline as long as another one works, and counts as whole', async () => {
  const on = await stage();
  on.directories.checkpoint(on.partitions);
  const again = new Stage();
  Object.assign(again, { disk: on.disk });
  again.begin();
  const full = again.directories.at('/b') as LogDirectory;
  full.openLog = () => {
    throw new DiskError('/b', Object.assign(new Error(), { code: 'ENOSPC' }));
  };
  again.replicas.openAll();
  assert.deepEqual([again.replicas.cleanRecovery, again.replicas.areAllOpen], [true, true]);
  for (const partition of [0, 1, 2]) again.place(lineOf(partition));
  assert.deepEqual([roleOf(again, 0)?.kind, roleOf(again, 1)], ['leader', undefined]);
  await again.pass(1000);
  assert.deepEqual(again.names(1), [2, 2]);
  assert.equal(again.unopened, 0);
});

test('a bug while a log is opened is a bug; damage is not', () => {
  const on = new Stage().begin();
  let thrown: Error = new TypeError('a bug');
  on.directories.openLog = () => {
    throw thrown;
  };
  assert.throws(() => on.place(lineOf(0)), /a bug/);
  thrown = new DamagedLog({
    path: '/a/t-0/0.log',
    baseOffset: 0,
    position: 0,
    fault: 'crc' as never,
  });
  assert.ok(on.place(lineOf(0)) === null);
  assert.equal(on.unopened, 1);
});

test('a log that cannot be loaded is one replica offline: it begins anew once somebody else leads', async () => {
  const on = await stage();
  assert.equal(await on.produce(0), 'NONE');
  const again = new Stage();
  Object.assign(again, { disk: on.disk });
  const { disk } = again;
  const open = disk.open.bind(disk);
  const isBad = (path: string) => path.startsWith('/a/t-0/');
  disk.open = (path, options) => {
    if (isBad(path)) throw new MalformedMessage('an array that is too long');
    return open(path, options);
  };
  again.begin().replicas.openAll();
  assert.equal(again.replicas.cleanRecovery, false);
  // As it was: the line still names the former life of this broker, and nobody else.
  const former = { id: SELF.id, epoch: SELF.epoch - 1 };
  const line = { ...lineOf(0, []), leader: null, isr: [former] };
  assert.ok(again.place(line) === null);
  assert.equal(again.replicas.areAllOpen, false);
  assert.notEqual(again.place(lineOf(1)), null, 'the broker goes on without it');
  disk.open = open;
  const bad = new MalformedMessage('an array that is too long');
  const openLog = again.directories.openLog.bind(again.directories);
  let tries = 0;
  again.directories.openLog = (id, config) => {
    if (id.partition === 0 && tries++ === 0) throw bad;
    return openLog(id, config);
  };
  const other = { id: 2, epoch: 4 };
  const led = { ...lineOf(0, [2]), leader: other, isr: [other], leaderEpoch: 2, partitionEpoch: 2 };
  const placed = again.place(led);
  assert.deepEqual([placed?.role.kind, placed?.log.endOffset], ['follower', 0]);
  assert.equal(again.replicas.areAllOpen, true);
  assert.ok(
    disk.list('/a').some((name) => name.endsWith('-stray')),
    'nothing is removed',
  );
  assert.equal(again.unopened, 0, 'the process does not end');
});

test('records whose page is of an older memory lie where the next page finds them', async () => {
  const on = await stage();
  const before = lineOf(0);
  on.place({ ...before, leaderEpoch: 2, partitionEpoch: 2 });
  assert.equal(await on.produce(0), 'NONE');
  const again = new Stage();
  Object.assign(again, { disk: on.disk });
  again.begin().replicas.openAll();
  assert.ok(again.place(before) === null, 'it is not believed');
  again.replicas.reportStrays();
  const placed = again.place({ ...before, leaderEpoch: 3, partitionEpoch: 3 });
  assert.equal(placed?.log.endOffset, 2);
});

const MEBIBYTE = 1024 * 1024;

/** One directory of a mebibyte, which somebody else fills. */
async function fullStage() {
  const on = new Stage().begin(['/a']);
  on.disk.capacityBytes = MEBIBYTE;
  const filler = (byteCount: number) => on.disk.files.set('/filler', Buffer.alloc(byteCount));
  on.place(lineOf(0));
  on.place(lineOf(1, []));
  for (const partition of [0, 1]) assert.equal(await on.produce(partition), 'NONE');
  filler(MEBIBYTE - on.disk.space('/').freeBytes + MEBIBYTE);
  assert.equal(on.disk.space('/').freeBytes < 0, true);
  assert.equal(await on.produce(1), 'KAFKA_STORAGE_ERROR');
  await on.pass(1000);
  return { on, filler };
}

test('a full disk ends nobody: others lead, the last copy is read, and nothing is written', async () => {
  const { on } = await fullStage();
  assert.equal(on.ended, 0);
  assert.deepEqual(on.names(0), [2, 2], 'somebody else leads');
  assert.deepEqual(on.names(1), [1, 1], 'nobody else can');
  const last = on.partitions.get('x', 1);
  assert.equal(last?.role.kind, 'leader');
  assert.equal(last?.log.endOffset, 1, 'what was refused is not there');
  const read = last?.read({ offset: 0, endOffset: 1, bytesMax: 1000, atLeastOne: true });
  assert.ok(read !== undefined && !(read instanceof Promise) && read.buffers.length === 1);
  for (const partition of [0, 1])
    assert.notEqual(await on.produce(partition), 'NONE', 'nothing is written');
  assert.equal(on.partitions.get('x', 0)?.isFull, true, 'nobody is followed');
});

test('with room again, who was full writes and follows on by itself', async () => {
  const { on, filler } = await fullStage();
  const before = on.partitions.get('x', 1);
  await on.pass(60_000);
  assert.equal(on.partitions.get('x', 1), before, 'it is opened anew once, not again and again');
  filler(0);
  await on.pass(1500);
  assert.deepEqual(on.directories.working.length, 1);
  assert.equal(await on.produce(1), 'NONE');
  assert.equal(on.partitions.get('x', 1)?.log.endOffset, 2);
  assert.equal(on.partitions.get('x', 0)?.isFull, false);
});

test('who is opened anew in the same leader epoch knows what it had proposed', async () => {
  const on = new Stage().begin(['/a']);
  on.place({ ...lineOf(0, []), isr: [SELF] });
  assert.equal(await on.produce(0), 'NONE');
  const core = on.partitions.get('x', 0)?.leaderCore;
  on.disk.capacityBytes = 0;
  assert.equal(await on.produce(0), 'KAFKA_STORAGE_ERROR');
  await on.pass(1000);
  const again = on.partitions.get('x', 0);
  assert.equal(again?.log.failure, null);
  assert.ok(core !== null && core !== undefined && again?.leaderCore === core);
});

test('a directory that is full, and then fails, has failed', async () => {
  const { on } = await fullStage();
  on.fail('/a');
  await on.pass(7000);
  assert.equal(on.ended, 1);
});
