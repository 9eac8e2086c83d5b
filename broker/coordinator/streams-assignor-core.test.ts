import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Assignment, NOTHING } from './assignment.ts';
import { assignTasks, type StreamsMemberSpec } from './streams-assignor-core.ts';
import { listsOf, roleOf } from './streams-tasks.ts';

const member = (
  memberId: string,
  processId: string,
  previous: Assignment = NOTHING,
  tags: Record<string, string> = {},
): StreamsMemberSpec => ({ memberId, processId, previous, tags: new Map(Object.entries(tags)) });
const noStandbys = { count: 0, tags: [] };

/** Names of tasks by role, of one member or of many. */
function tasks(assignment: Assignment, wanted: 'active' | 'standby'): string[] {
  return listsOf(assignment)[wanted].flatMap(({ partitions, subtopologyId }) =>
    partitions.map((partition) => `${subtopologyId} ${partition}`),
  );
}

const group = fc.record({
  processes: fc.array(fc.nat(4), { minLength: 1, maxLength: 9 }),
  sizes: fc.array(fc.nat(7), { minLength: 1, maxLength: 4 }),
  standbys: fc.nat(2),
  gone: fc.nat(8),
});

test('every task runs once, evenly, and stand-bys are in other processes (property)', () => {
  fc.assert(
    fc.property(group, ({ gone, processes, sizes, standbys }) => {
      const subtopologies = sizes.map((taskCount, i) => ({
        subtopologyId: `${i}`,
        taskCount,
        isStateful: i % 2 === 0,
      }));
      const check = (members: StreamsMemberSpec[]) => {
        const result = assignTasks(members, subtopologies, { count: standbys, tags: [] });
        const seen = [...result.values()].flatMap((of) => tasks(of, 'active'));
        const all = subtopologies.flatMap(({ subtopologyId, taskCount }) =>
          Array.from({ length: taskCount }, (_, i) => `${subtopologyId} ${i}`),
        );
        assert.deepEqual([...seen].sort(), [...all].sort());
        const loads = [...result.values()].map((of) => tasks(of, 'active').length);
        assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `even: ${loads}`);
        const processCount = new Set(members.map(({ processId }) => processId)).size;
        for (const name of all) {
          const holders = members.filter(({ memberId }) => {
            const of = result.get(memberId) ?? NOTHING;
            return tasks(of, 'active').includes(name) || tasks(of, 'standby').includes(name);
          });
          const where = holders.map(({ processId }) => processId);
          assert.equal(new Set(where).size, where.length, 'no process has a task twice');
          const isStateful = Number(name.split(' ')[0]) % 2 === 0;
          assert.equal(where.length, isStateful ? Math.min(1 + standbys, processCount) : 1);
        }
        return result;
      };
      const members = processes.map((p, i) => member(`m${i}`, `p${p}`));
      const first = check(members);
      const stay = members.map((of) => ({ ...of, previous: first.get(of.memberId) ?? NOTHING }));
      const second = check(stay);
      for (const [memberId, of] of first)
        assert.deepEqual(tasks(second.get(memberId) ?? NOTHING, 'active'), tasks(of, 'active'));
      if (members.length > 1) check(stay.filter((_, i) => i !== gone % members.length));
    }),
  );
});

test('a task that loses its process goes where its state is', () => {
  const subtopologies = [{ subtopologyId: '0', taskCount: 3, isStateful: true }];
  const rules = { count: 1, tags: [] };
  const members = ['a', 'b', 'c'].map((id) => member(id, id));
  const before = assignTasks(members, subtopologies, rules);
  const left = members
    .filter(({ memberId }) => memberId !== 'a')
    .map((of) => ({ ...of, previous: before.get(of.memberId) ?? NOTHING }));
  const after = assignTasks(left, subtopologies, rules);
  for (const name of tasks(before.get('a') ?? NOTHING, 'active')) {
    const heir = left.find(({ memberId }) =>
      tasks(after.get(memberId) ?? NOTHING, 'active').includes(name),
    );
    assert.ok(tasks(heir?.previous ?? NOTHING, 'standby').includes(name), name);
  }
});

test('stand-bys are spread over the values of client tags', () => {
  const zones = ['x', 'x', 'y', 'y'];
  const members = zones.map((zone, i) => member(`m${i}`, `p${i}`, NOTHING, { zone }));
  const subtopologies = [{ subtopologyId: '0', taskCount: 4, isStateful: true }];
  const result = assignTasks(members, subtopologies, { count: 1, tags: ['zone'] });
  const zoneOf = (name: string, role: 'active' | 'standby') =>
    zones[
      members.findIndex(({ memberId }) =>
        tasks(result.get(memberId) ?? NOTHING, role).includes(name),
      )
    ];
  for (let i = 0; i < 4; i++)
    assert.notEqual(zoneOf(`0 ${i}`, 'active'), zoneOf(`0 ${i}`, 'standby'));
});

test('without members nothing is assigned', () => {
  assert.equal(
    assignTasks([], [{ subtopologyId: '0', taskCount: 2, isStateful: true }], noStandbys).size,
    0,
  );
  assert.deepEqual(roleOf('active a b'), { role: 'active', subtopologyId: 'a b' });
});
