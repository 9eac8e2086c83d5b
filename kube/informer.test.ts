import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemChance } from '../stdx/chance.ts';
import { silentLogger } from '../stdx/logger.ts';
import { clockOf, Process, Scheduler } from '../test/sim/scheduler.ts';
import { type Change, Informer } from './informer.ts';
import { type KubeObject, leases } from './objects.ts';
import { type KubeApi, KubeUnreachable, type WatchEnd, type WatchEvent } from './port.ts';

const object = (name: string, resourceVersion: string): KubeObject =>
  ({ metadata: { name, namespace: 'n', resourceVersion } }) as KubeObject;

/** An API whose list the test writes, and whose watches it ends. */
class Stage implements Disposable {
  readonly scheduler = new Scheduler();
  items: KubeObject[];
  version: number;
  isDown = false;
  lists = 0;
  readonly watchedFrom: string[] = [];
  readonly changes: string[] = [];
  end: (how: WatchEnd) => void = () => {};
  event: (event: WatchEvent<KubeObject>) => void = () => {};
  readonly informer: Informer<KubeObject>;

  constructor(version: number, items: KubeObject[]) {
    this.version = version;
    this.items = items;
    const api = {
      list: async () => {
        this.lists++;
        if (this.isDown) throw new KubeUnreachable('no answer');
        return { items: [...this.items], resourceVersion: String(this.version) };
      },
      watch: (_: unknown, of: { resourceVersion: string }, onEvent: typeof this.event) => {
        this.watchedFrom.push(of.resourceVersion);
        this.event = onEvent;
        const ended = new Promise<WatchEnd>((resolve) => (this.end = resolve));
        return { ended, [Symbol.dispose]() {} };
      },
    } as unknown as KubeApi;
    const clock = clockOf(this.scheduler, new Process('broker'), { rate: 1, skewMs: 0 });
    const onChange = ({ after, before }: Change<KubeObject>) =>
      void this.changes.push(
        `${(after ?? before)?.metadata.name} ${before?.metadata.resourceVersion ?? '-'} to ${after?.metadata.resourceVersion ?? '-'}`,
      );
    this.informer = new Informer(
      { api, clock, chance: systemChance, logger: silentLogger },
      leases as never,
      { namespace: 'n' },
      onChange,
    );
  }

  pass(ms = 5_000): Promise<void> {
    return this.scheduler.runUntil(this.scheduler.nowMs + ms);
  }

  [Symbol.dispose](): void {
    this.informer[Symbol.dispose]();
  }
}

test('what a watch missed is found by a new list: changes, new objects and those that are gone', async () => {
  using stage = new Stage(3, [object('a', '1'), object('b', '2'), object('c', '3')]);
  await stage.pass();
  stage.changes.length = 0;
  // While nobody watched: `a` changed, `b` was deleted, `d` was made.
  stage.items = [object('a', '7'), object('c', '3'), object('d', '6')];
  stage.version = 9;
  stage.end('expired');
  await stage.pass();
  assert.deepEqual(stage.changes.sort(), ['a 1 to 7', 'b 2 to -', 'd - to 6']);
  assert.deepEqual(stage.watchedFrom, ['3', '9']);
});

test('a watch that merely ends goes on from where it was', async () => {
  using stage = new Stage(3, []);
  await stage.pass();
  stage.event({ type: 'ADDED', object: object('a', '5') });
  stage.end('closed');
  await stage.pass();
  stage.event({ type: 'BOOKMARK', resourceVersion: '8' });
  stage.end('closed');
  await stage.pass();
  assert.deepEqual(stage.watchedFrom, ['3', '5', '8']);
  assert.equal(stage.lists, 1);
});

test('an API that does not answer takes nothing away, and is not asked without a pause', async () => {
  using stage = new Stage(1, [object('a', '1')]);
  await stage.pass();
  stage.isDown = true;
  stage.end('expired');
  await stage.pass(60_000);
  assert.equal(stage.informer.size, 1);
  assert.ok(stage.lists > 10 && stage.lists < 80, `asked ${stage.lists} times in a minute`);
  stage.isDown = false;
  stage.items = [];
  await stage.pass();
  assert.equal(stage.informer.size, 0);
});
