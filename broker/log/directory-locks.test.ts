import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../stdx/clock.ts';
import { DiskError } from '../../stdx/disk.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { silentLogger } from '../../stdx/logger.ts';
import { DirectoryLocks } from './directory-locks.ts';

/** A disk, a clock that the test moves, and processes that want the same folder. */
class Stage {
  nowMs = 0;
  readonly disk = memoryDisk();
  readonly lost: string[] = [];
  private readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    after: (delayMs, run) => {
      setImmediate(() => {
        this.nowMs += delayMs;
        run();
      });
      return { [Symbol.dispose]() {} };
    },
    every: () => ({ [Symbol.dispose]() {} }),
    endOfTurn: () => {},
  };

  /** Another machine has locks of its own, and the same files. */
  process(incarnation: string, { elsewhere } = { elsewhere: false }): DirectoryLocks {
    const { clock, disk, lost } = this;
    const held = { [Symbol.dispose]() {} };
    const seen = elsewhere
      ? new Proxy(disk, {
          get: (of, name) => (name === 'lock' ? () => held : Reflect.get(of, name)),
        })
      : disk;
    return new DirectoryLocks(
      {
        disk: seen,
        clock,
        logger: silentLogger,
        onLost: (why) => void lost.push(`${incarnation}: ${why}`),
      },
      { incarnation, pod: `pod-${incarnation}`, host: 'here', pid: 1 },
    );
  }
}

test('a second process does not begin on a folder that is held, and says who holds it', async () => {
  const stage = new Stage();
  const first = stage.process('a');
  await first.take(['/d']);
  await assert.rejects(stage.process('b').take(['/d']), /in use by process 1 of pod pod-a at here/);
  first[Symbol.dispose]();
  await stage.process('c').take(['/d']);
});

test('where no lock is seen, who was away for a moment looks whose the folder is before it writes', async () => {
  const stage = new Stage();
  const first = stage.process('a');
  await first.take(['/d']);
  first.confirm();
  await stage.process('b', { elsewhere: true }).take(['/d']);
  stage.nowMs += 5_000;
  assert.throws(() => first.confirm(), DiskError);
  assert.match(
    stage.lost.join(),
    /^a: the data folder \/d was taken over by process 1 of pod pod-b/,
  );
  assert.throws(() => first.confirm(), DiskError, 'it does not forget');
  assert.equal(stage.lost.length, 1);
});

test('who is alone writes on, however long it was away', async () => {
  const stage = new Stage();
  const only = stage.process('a');
  await only.take(['/d', '/e']);
  stage.nowMs += 60_000;
  only.confirm();
  assert.deepEqual(stage.lost, []);
});
