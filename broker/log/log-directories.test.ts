import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../../proto/kafka/record-batch.ts';
import { DiskError } from '../../stdx/disk.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { createLogger } from '../../stdx/logger.ts';
import { SimDisk } from '../../test/sim/disk.ts';
import { Random } from '../../test/sim/random.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import { LogDirectories } from './log-directories.ts';
import { LogDirectory } from './log-directory.ts';
import type { LogRead } from './log-reads.ts';
import type { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const config = logConfig();
const logger = createLogger({ level: 'error', format: 'text' });
const idOf = (partition: number) => ({ topic: 't', partition, topicId: 'AAAA' });

/** A broker's storage through its lives. */
class Lives {
  readonly disk = memoryDisk();
  private ids = 0;
  private epoch = 0;
  logs = new Map<number, PartitionLog>();

  begin(paths: string[], nodeId = 1, bootId = 'boot'): LogDirectories {
    const { disk } = this;
    const files = new FileCache(disk, 100);
    const directories = new LogDirectories(
      { disk, files, tail: new TailMemory(1e6), logger },
      paths,
      bootId,
    );
    directories.claim({ clusterId: 'c', nodeId, newId: () => `id-${this.ids++}` });
    return directories;
  }

  live(directories: LogDirectories): void {
    this.logs = new Map();
    for (const id of directories.present()) this.open(directories, id.partition);
    directories.noteLife({ epoch: ++this.epoch, keptSince: 1, incarnation: `life-${this.epoch}` });
  }

  open(directories: LogDirectories, partition: number): PartitionLog {
    const { log } = directories.openLog(idOf(partition), config);
    this.logs.set(partition, log);
    return log;
  }

  end(directories: LogDirectories): void {
    for (const log of this.logs.values()) log.close();
    const kept = [...this.logs].map(([partition, log]) => ({
      ...idOf(partition),
      log,
      highWatermark: 1,
    }));
    directories.checkpoint(kept);
    directories.markClean(this.epoch, kept);
  }

  lose(path: string): void {
    this.disk.remove(path);
  }
}

function write(log: PartitionLog, value: string): void {
  const record = { key: null, value: Buffer.from(value) };
  log.append(buildBatch([record], { timestampMs: 1 }), { leaderEpoch: 1 });
  log.writePending();
}

/** Four replicas over two directories, each with a record, and an orderly end. */
function firstLife(): Lives {
  const lives = new Lives();
  const directories = lives.begin(['/a', '/b']);
  assert.equal(directories.keptWrites, false, 'a new broker has kept nothing');
  lives.live(directories);
  for (let partition = 0; partition < 4; partition++)
    write(lives.open(directories, partition), `v${partition}`);
  lives.end(directories);
  return lives;
}

test('new replicas go where fewest are, and are found again', () => {
  const lives = firstLife();
  const folders = [...lives.logs.values()].map(({ folder }) => folder);
  assert.deepEqual(folders, ['/a/t-0', '/b/t-1', '/a/t-2', '/b/t-3']);
  const again = lives.begin(['/b', '/a']);
  assert.equal(again.keptWrites, true);
  lives.live(again);
  assert.deepEqual(
    [...lives.logs.keys()].sort((a, b) => a - b),
    [0, 1, 2, 3],
  );
  for (const log of lives.logs.values()) assert.equal(log.endOffset, 1);
});

test('after an orderly stop nothing is read in the folders of the replicas', () => {
  const lives = firstLife();
  const asked: string[] = [];
  const before = { ...lives.disk };
  for (const method of ['readBytes', 'readText', 'list'] as const)
    Object.assign(lives.disk, {
      [method](path: string) {
        asked.push(path);
        return before[method](path);
      },
    });
  const again = lives.begin(['/a', '/b']);
  lives.live(again);
  assert.deepEqual(
    asked.filter((path) => path.includes('/t-')),
    [],
  );
  assert.equal(lives.logs.size, 4);
  for (const [partition, log] of lives.logs) {
    assert.equal(log.endOffset, 1);
    const { buffers } = log.read({
      offset: 0,
      bytesMax: 1e6,
      endOffset: 1,
      atLeastOne: true,
    }) as LogRead;
    assert.ok(Buffer.concat(buffers as Buffer[]).includes(`v${partition}`));
  }
});

test('what a stop found no time to remove is removed by the next start', () => {
  const lives = firstLife();
  const second = lives.begin(['/a', '/b']);
  lives.live(second);
  const log = lives.logs.get(0) as PartitionLog;
  log.config = { ...config, segmentBytes: 1, retentionBytes: 0 };
  write(log, 'a segment of its own');
  assert.ok(log.retain(1, log.endOffset).length > 0);
  const leftOver = () => lives.disk.list('/a/t-0').filter((name) => name.endsWith('.deleted'));
  lives.end(second);
  assert.ok(leftOver().length > 0);
  lives.live(lives.begin(['/a', '/b']));
  assert.deepEqual(leftOver(), []);
  assert.equal(lives.logs.get(0)?.endOffset, 2);
});

test('indexes that a scan made anew are not taken for saved ones', () => {
  const lives = firstLife();
  const second = lives.begin(['/a', '/b']);
  lives.live(second);
  const log = lives.logs.get(0) as PartitionLog;
  log.config = { ...config, segmentBytes: 1 };
  for (const value of ['b', 'c']) write(log, value);
  // A closed segment without its indexes, as a stop between two steps of a compaction leaves it.
  lives.disk.remove('/a/t-0/00000000000000000001.index');
  const third = lives.begin(['/a', '/b']); // The second life was killed.
  lives.live(third);
  lives.end(third);
  const fourth = lives.begin(['/a', '/b']);
  lives.live(fourth);
  assert.equal(lives.logs.get(0)?.endOffset, 3);
  assert.equal(lives.logs.get(0)?.note?.isTidy, false, 'a start has to look for them');
  assert.equal(lives.logs.get(1)?.note?.isTidy, true);
});

test('every folder says whose it is, also where the tag is one file with many names', () => {
  const lives = firstLife();
  const tags = () =>
    ['/a/t-0', '/a/t-2', '/b/t-1', '/b/t-3'].map((folder) =>
      lives.disk.readText(`${folder}/partition.metadata`),
    );
  assert.deepEqual(new Set(tags()), new Set(['version: 0\ntopic_id: AAAA\ncrc32c: 573e1fa0\n']));
  // A topic of the same name that was made anew has a tag of its own, and its first one is gone by then.
  const again = lives.begin(['/a']);
  lives.live(again);
  lives.disk.remove('/a/t-0');
  const other = again.openLog({ topic: 'u', partition: 0, topicId: 'BBBB' }, config).log;
  write(other, 'x');
  write(lives.open(again, 4), 'y');
  const tagOf = (folder: string) => lives.disk.readText(`/a/${folder}/partition.metadata`) ?? '';
  assert.match(tagOf('u-0'), /^version: 0\ntopic_id: BBBB\n/);
  assert.match(tagOf('t-4'), /^version: 0\ntopic_id: AAAA\n/);
});

test('a log that is not as the stop noted it is looked into', () => {
  const lives = firstLife();
  const path = '/a/t-0/00000000000000000000.log';
  const record = { key: null, value: Buffer.from('put there by somebody else') };
  const batch = buildBatch([record], { timestampMs: 1 });
  batch.writeBigInt64BE(1n, 0);
  batch.writeInt32BE(1, 12);
  const before = lives.disk.readBytes(path) as Buffer;
  lives.disk.writeFile(path, Buffer.concat([before, batch]));
  lives.live(lives.begin(['/a', '/b']));
  assert.equal(lives.logs.get(0)?.endOffset, 2);
});

test('a log that is shorter than the stop noted, and one that it does not name, are looked into', () => {
  const path = '/a/t-0/00000000000000000000.log';
  const recoveryOf = (lives: Lives, partition: number) => {
    const directories = lives.begin(['/a', '/b']);
    directories.present();
    return directories.openLog(idOf(partition), config).recovery;
  };
  const short = firstLife();
  const bytes = short.disk.readBytes(path) as Buffer;
  short.disk.writeFile(path, bytes.subarray(0, bytes.length - 5));
  assert.equal(recoveryOf(short, 0).clean, false, 'what is gone had been there');
  // As an earlier version wrote it: without a seal.
  const old = firstLife();
  old.disk.writeFile(
    '/a/tenure-logs.json',
    Buffer.from('{"version":1,"brokerEpoch":1,"replicas":[]}'),
  );
  assert.deepEqual(recoveryOf(old, 0), { clean: true, scannedBytes: bytes.length });
  assert.deepEqual(recoveryOf(firstLife(), 1), { clean: true, scannedBytes: 0 });
});

test('an inventory of an earlier stop counts for nothing', () => {
  const lives = firstLife();
  const old = lives.disk.readText('/a/tenure-logs.json') as string;
  const second = lives.begin(['/a', '/b']);
  lives.live(second);
  write(lives.logs.get(0) as PartitionLog, 'more');
  lives.end(second);
  lives.disk.writeFile('/a/tenure-logs.json', Buffer.from(old));
  lives.live(lives.begin(['/a', '/b']));
  assert.equal(lives.logs.get(0)?.endOffset, 2);
});

test('a killed process kept its writes on the same boot only', () => {
  const lives = firstLife();
  const second = lives.begin(['/a', '/b']);
  lives.live(second);
  assert.equal(lives.begin(['/a', '/b']).keptWrites, true);
});

test('a lost directory costs the trust in all of them', () => {
  const lives = firstLife();
  lives.lose('/b');
  const without = lives.begin(['/a', '/b']);
  assert.equal(without.isComplete, false);
  assert.equal(without.keptWrites, false);
  assert.equal(without.former?.epoch, 1);
  assert.equal(lives.begin(['/a']).keptWrites, false, 'nor may it just be left out');
});

test('a directory that is added costs nothing', () => {
  const lives = firstLife();
  const more = lives.begin(['/a', '/b', '/c']);
  assert.equal(more.keptWrites, true);
  lives.live(more);
  assert.equal(lives.open(more, 9).folder, '/c/t-9');
});

test('a directory that slept through a life is not trusted, and its copies give way', () => {
  const lives = firstLife();
  const without = lives.begin(['/a', '/new']);
  lives.live(without);
  const log = lives.open(without, 1);
  for (const value of ['x', 'y', 'z']) write(log, value);
  lives.end(without);
  const all = lives.begin(['/b', '/a', '/new']);
  assert.equal(all.keptWrites, false);
  lives.live(all);
  assert.equal(lives.logs.get(1)?.endOffset, 3, 'the copy of the last life counts');
  assert.ok(
    lives.disk.exists('/b/t-1.stray-stray/partition.metadata'),
    'the other one is kept aside',
  );
});

test('an administrator may say where a replica is to be made; a failed directory gets none', () => {
  const lives = firstLife();
  const directories = lives.begin(['/a', '/b']);
  lives.live(directories);
  const b = directories.at('/b');
  assert.ok(b !== null);
  directories.want(idOf(4), b);
  assert.equal(lives.open(directories, 4).folder, '/b/t-4');
  const a = directories.of(lives.logs.get(0) as PartitionLog);
  directories.failures.note(a, new DiskError('/a', Object.assign(new Error(), { code: 'EIO' })));
  assert.deepEqual(directories.working, [b]);
  assert.equal(lives.open(directories, 5).folder, '/b/t-5');
});

test('a directory of another broker or cluster is refused, by name', () => {
  const lives = firstLife();
  assert.throws(() => lives.begin(['/a', '/b'], 2), /\/a belongs to broker 1, not to 2/);
});

test('checkpoints lie beside the replicas that they speak of', () => {
  const { disk } = firstLife();
  const file = (path: string) => disk.readText(`${path}/replication-offset-checkpoint`);
  assert.match(file('/a') ?? '', /t 0 1\nt 2 1/);
  assert.match(file('/b') ?? '', /t 1 1\nt 3 1/);
});

test('a replica whose folder lost its name tag is made again where it lay, without what was there', () => {
  const lives = firstLife();
  lives.disk.remove('/a/t-0/partition.metadata');
  const again = lives.begin(['/a', '/b', '/c']);
  // As after a loss of power: the inventory knows nothing of it.
  lives.disk.remove('/a/tenure-logs.json');
  lives.live(again);
  const log = lives.open(again, 0);
  assert.equal(log.folder, '/a/t-0');
  assert.equal(log.endOffset, 0, 'the records may be of another topic of that name');
  assert.ok(lives.disk.exists('/a/t-0.stray-stray/00000000000000000000.log'));
});

test('a log is safe once its folder says safely whose it is', async () => {
  const platter = new SimDisk(new Random(1));
  const disk = platter.atOnce();
  const open = () =>
    new LogDirectory(
      { disk, files: new FileCache(disk, 10), tail: new TailMemory(0), logger },
      '/a',
      'boot',
    ).openLog(idOf(0), config).log;
  const log = open();
  write(log, 'v');
  await log.flush();
  for (let i = 0; i < 10; i++) {
    platter.losePower();
    assert.equal(open().endOffset, 1);
  }
});

test('a kill loses nothing that was written, a machine that was started anew may have', () => {
  const lives = new Lives();
  const first = lives.begin(['/a', '/b']);
  lives.live(first);
  assert.equal(lives.begin(['/a', '/b']).keptWrites, true);
  assert.equal(lives.begin(['/a', '/b'], 1, 'another boot').keptWrites, false);
  lives.end(lives.begin(['/a', '/b']));
  assert.equal(lives.begin(['/a', '/b'], 1, 'another boot').keptWrites, true, 'stopped in order');
});

test('a copy of a directory that was made while its broker lived is no directory of a killed process', () => {
  const lives = new Lives();
  const ids = new Map([
    ['/a/.lock', '7'],
    ['/b/.lock', '8'],
  ]);
  lives.disk.idOf = (path) => ids.get(path) ?? null;
  lives.live(lives.begin(['/a', '/b']));
  assert.equal(lives.begin(['/a', '/b']).keptWrites, true, 'the very same files');
  ids.set('/b/.lock', '9');
  assert.equal(lives.begin(['/a', '/b']).keptWrites, false);
});

test('a directory whose disk failed in the last life costs the trust in all of them', () => {
  const lives = new Lives();
  const first = lives.begin(['/a', '/b']);
  lives.live(first);
  assert.equal(lives.begin(['/a', '/b']).isComplete, true);
  first.noteDoubts(first.all.slice(1));
  assert.equal(lives.begin(['/a', '/b']).isComplete, false);
});

test('a directory in which a write failed is not called clean, the others are', () => {
  const lives = new Lives();
  const first = lives.begin(['/a', '/b']);
  lives.live(first);
  const [failed, fine] = [lives.open(first, 0), lives.open(first, 1)];
  assert.notEqual(first.of(failed), first.of(fine));
  failed.failure = new Error('EIO');
  lives.end(first);
  const cleanIn = new Map(lives.begin(['/a', '/b']).all.map(({ path, clean }) => [path, clean]));
  assert.equal(cleanIn.get(first.of(failed).path), false);
  assert.equal(cleanIn.get(first.of(fine).path), true);
});
