import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './clock.ts';
import { Turn, type TurnTask } from './turn.ts';

function setUp() {
  const ran: string[] = [];
  let ends: (() => void)[] = [];
  const clock = { endOfTurn: (run: () => void) => void ends.push(run) } as unknown as Clock;
  const turn = new Turn(clock, 2, (cause) => ran.push(`failed: ${cause}`));
  const task = (name: string, also: () => void = () => {}): TurnTask => ({
    scheduled: false,
    runInTurn() {
      ran.push(name);
      also();
    },
  });
  const endTurn = () => {
    const now = ends;
    ends = [];
    for (const end of now) end();
  };
  return { turn, ran, task, endTurn };
}

test('tasks run once a turn, phase by phase, and one that fails does not keep the others', () => {
  const { turn, ran, task, endTurn } = setUp();
  const late = task('late');
  turn.schedule(1, late);
  const fail = () => {
    throw 'planted';
  };
  turn.schedule(0, task('bad', fail));
  turn.schedule(0, task('early'));
  turn.schedule(1, late);
  assert.deepEqual(ran, []);
  endTurn();
  assert.deepEqual(ran, ['bad', 'failed: planted', 'early', 'late']);
  endTurn();
  assert.equal(ran.length, 4);
});

test('work that a late phase makes for an early one waits for the next turn', () => {
  const { turn, ran, task, endTurn } = setUp();
  const early = task('early');
  turn.schedule(
    1,
    task('late', () => turn.schedule(0, early)),
  );
  endTurn();
  assert.deepEqual(ran, ['late']);
  endTurn();
  assert.deepEqual(ran, ['late', 'early']);
});

test('a turn that holds much ends early, and only then; its end finds nothing twice', () => {
  const { turn, ran, task, endTurn } = setUp();
  turn.schedule(0, task('write'));
  turn.weigh(1000);
  turn.endIfHeavy();
  assert.deepEqual(ran, []);
  turn.weigh(1024 * 1024);
  turn.endIfHeavy();
  assert.deepEqual(ran, ['write']);
  turn.schedule(0, task('again'));
  turn.weigh(1000);
  turn.endIfHeavy();
  endTurn();
  assert.deepEqual(ran, ['write', 'again']);
});

test('what runs at the beginning of a turn runs before all of its work', () => {
  const ran: string[] = [];
  const ends: (() => void)[] = [];
  const clock = { endOfTurn: (run: () => void) => void ends.push(run) } as unknown as Clock;
  const turn = new Turn(
    clock,
    1,
    () => assert.fail(),
    () => ran.push('looks'),
  );
  turn.schedule(0, { scheduled: false, runInTurn: () => void ran.push('works') });
  assert.deepEqual(ran, []);
  ends.pop()?.();
  assert.deepEqual(ran, ['looks', 'works']);
});
