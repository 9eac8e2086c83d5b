import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTurns, LoopShare, mapInTurns, mapSomeAtOnce, Pace, type Sharer } from './loop-share.ts';

/** Time that goes on when work is done, and turns that end when the test says so. */
function stage() {
  let nowMs = 0;
  const turn = { ordinal: 0 };
  const ends: (() => void)[] = [];
  const clock = { monotonicMs: () => nowMs, endOfTurn: (run: () => void) => void ends.push(run) };
  const share = new LoopShare(clock, turn);
  return {
    share,
    work: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
    endTurn: async () => {
      turn.ordinal++;
      for (const run of ends.splice(0)) {
        run();
        await settled();
      }
    },
  };
}
const settled = () => new Promise<void>((done) => setImmediate(done));
const somebody = (): Sharer => ({ usedMs: 0, usedAtMs: 0 });

test('what takes long rests after each slice, and one slice is had in a turn', async () => {
  const { endTurn, now, share, work } = stage();
  const list = Array.from({ length: 100 }, (_, i) => i);
  let over = 0;
  for (let i = 0; i < 10; i++) {
    const mapped = mapInTurns(new Pace(share, somebody()), list, (item) => {
      work(1);
      return item * 2;
    });
    void mapped.then((result) => {
      assert.deepEqual(
        result,
        list.map((item) => item * 2),
      );
      over++;
    });
  }
  await settled();
  let turns = 0;
  while (over < 10) {
    const before = now();
    await endTurn();
    turns++;
    assert.ok(now() - before <= 10, `${now() - before} ms in one turn`);
  }
  assert.ok(turns > 90);
});

test('whoever had little goes before those who had much', async () => {
  const { endTurn, now, share, work } = stage();
  const greedy = Array.from({ length: 20 }, somebody);
  const order: string[] = [];
  for (const one of greedy) {
    const from = now();
    work(50);
    share.charge(one, from, now());
  }
  assert.ok(share.isSpent);
  for (const one of greedy)
    share.wait(one, () => {
      const from = now();
      work(3);
      order.push('greedy');
      share.charge(one, from, now());
    });
  share.wait(somebody(), () => void order.push('modest'));
  await endTurn();
  assert.equal(order[0], 'modest');
  assert.ok(order.length <= 4, 'the others wait for turns of their own');
  for (let i = 0; i < 10; i++) await endTurn();
  assert.equal(order.length, 21, 'nobody waits for ever');
});

test('what was had is forgotten, and a new turn has its own time', async () => {
  const { endTurn, now, share, work } = stage();
  const one = somebody();
  work(100);
  share.charge(one, 0, now());
  assert.ok(share.isSpent);
  await endTurn();
  assert.equal(share.isSpent, false);
  work(10_000);
  share.charge(one, now(), now());
  assert.ok(one.usedMs < 1);
});

test('where no time passes a slice has so many steps', async () => {
  const { endTurn, share } = stage();
  const steps = function* () {
    for (let i = 0; i < 1000; i++) yield;
    return 'done';
  };
  let result = '';
  void inTurns(new Pace(share, somebody()), steps()).then((value) => {
    result = value;
  });
  let turns = 0;
  for (; result === ''; turns++) await endTurn();
  assert.ok(turns >= 3 && turns < 10);
});

test('some at once are begun, and answered in order', async () => {
  const { share } = stage();
  let open = 0;
  let most = 0;
  const changed = await mapSomeAtOnce(
    new Pace(share, somebody()),
    Array.from({ length: 50 }, (_, i) => i),
    8,
    async (item) => {
      open++;
      most = Math.max(most, open);
      await settled();
      open--;
      return item;
    },
  );
  assert.equal(most, 8);
  assert.deepEqual(changed, [...changed.keys()]);
});
