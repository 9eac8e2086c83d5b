import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasMember, type Member, type PartitionLine } from '../../kube/partition-line.ts';
import { alterIsr, type BrokerView, preferLeader, settleLine, withdraw } from './election-core.ts';

const rules = { minInsyncReplicas: 2, uncleanLeaderElection: false };
const member = (id: number, epoch = 1): Member => ({ id, epoch });
const broker = (id: number, more: Partial<BrokerView> = {}): BrokerView => ({
  id,
  epoch: 1,
  live: true,
  draining: false,
  keptSince: 0,
  rack: null,
  ...more,
});
const brokers = (...views: BrokerView[]) =>
  new Map([broker(1), broker(2), broker(3), ...views].map((view) => [view.id, view]));
const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
  topic: 't',
  topicId: 'x',
  partition: 0,
  leader: member(1),
  leaderEpoch: 5,
  partitionEpoch: 9,
  replicas: [1, 2, 3],
  isr: [member(1), member(2), member(3)],
  elr: [],
  adding: [],
  removing: [],
  ...more,
});

test('a replica that lost nothing stays eligible where too few are left, and leads when the rest is lost', () => {
  const two = line({ isr: [member(1), member(2)], leader: member(1) });
  const after = withdraw(two, member(1), brokers(), rules, true) as PartitionLine;
  assert.deepEqual([after.leader, after.isr, after.elr], [member(2), [member(2)], [member(1)]]);
  assert.equal(withdraw(after, member(1), brokers(), rules, true), after, 'once is enough');
  const lost = withdraw(two, member(1), brokers(), rules) as PartitionLine;
  assert.deepEqual(lost.elr, [], 'one that may have lost something does not');
});

test('nothing changes while everybody lives', () => {
  const before = line();
  assert.equal(settleLine(before, brokers(), rules).line, before);
});

test('a dead leader is replaced by the first live in-sync replica, in a new epoch', () => {
  const { line: after } = settleLine(line(), brokers(broker(1, { live: false })), rules);
  assert.deepEqual([after.leader, after.leaderEpoch, after.partitionEpoch], [member(2), 6, 10]);
  assert.deepEqual(after.isr, [member(2), member(3)]);
  assert.deepEqual(after.elr, []);
});

test('who leaves an ISR at its minimum stays eligible, and may lead when the rest dies', () => {
  const small = settleLine(
    line({ isr: [member(1), member(2)] }),
    brokers(broker(1, { live: false })),
    rules,
  ).line;
  assert.deepEqual(small.isr, [member(2)]);
  assert.deepEqual(small.elr, [member(1)]);
  const none = settleLine(
    small,
    brokers(broker(1, { live: false }), broker(2, { live: false })),
    rules,
  ).line;
  assert.deepEqual([none.leader, none.isr], [null, []]);
  assert.deepEqual(new Set(none.elr.map(({ id }) => id)), new Set([1, 2]));
  const back = settleLine(none, brokers(broker(2, { live: false })), rules).line;
  assert.deepEqual([back.leader, back.isr], [member(1), [member(1)]]);
});

test('broker 3 is no candidate although it lives: it is in neither ISR nor ELR', () => {
  const alone = line({ isr: [member(1)], elr: [] });
  const { line: after, unclean } = settleLine(alone, brokers(broker(1, { live: false })), rules);
  assert.deepEqual([after.leader, unclean], [null, false]);
  const forced = settleLine(alone, brokers(broker(1, { live: false })), {
    ...rules,
    uncleanLeaderElection: true,
  });
  assert.deepEqual([forced.line.leader, forced.unclean], [member(2), true]);
});

test('who hands over to an eligible replica while nobody else is in sync stays eligible', () => {
  const { line: after } = settleLine(
    line({ leader: member(2), isr: [member(2)], elr: [member(1)] }),
    brokers(broker(2, { draining: true }), broker(3, { live: false })),
    rules,
  );
  assert.deepEqual([after.leader, after.isr, after.elr], [member(1), [member(1)], [member(2)]]);
});

test('a broker in a new life keeps its standing only if it lost nothing', () => {
  const kept = settleLine(line(), brokers(broker(2, { epoch: 4, keptSince: 1 })), rules).line;
  assert.deepEqual(kept.isr, [member(1), member(2, 4), member(3)]);
  assert.equal(kept.leaderEpoch, 5, 'a follower that came back does not disturb its leader');
  const lost = settleLine(line(), brokers(broker(2, { epoch: 4, keptSince: 4 })), rules).line;
  assert.deepEqual(lost.isr, [member(1), member(3)]);
  assert.deepEqual(lost.elr, []);
});

test('a draining broker hands over, unless nobody else can', () => {
  const moved = settleLine(line(), brokers(broker(1, { draining: true })), rules).line;
  assert.deepEqual([moved.leader, moved.isr], [member(2), [member(2), member(3)]]);
  const alone = line({ replicas: [1], isr: [member(1)] });
  assert.equal(settleLine(alone, brokers(broker(1, { draining: true })), rules).line, alone);
});

test('an ISR change is judged by epochs, membership and who lives', () => {
  const small = line({ isr: [member(1), member(2)] });
  const change = {
    leader: member(1),
    leaderEpoch: 5,
    partitionEpoch: 9,
    isr: [member(1), member(2), member(3)],
  };
  const done = alterIsr(small, change, brokers(), rules);
  assert.ok(typeof done !== 'string' && done.isr.length === 3 && done.partitionEpoch === 10);
  assert.equal(
    typeof alterIsr(small, { ...change, partitionEpoch: 8 }, brokers(), rules),
    'string',
  );
  assert.equal(typeof alterIsr(small, { ...change, leaderEpoch: 4 }, brokers(), rules), 'string');
  assert.equal(
    typeof alterIsr(small, { ...change, leader: member(1, 2) }, brokers(), rules),
    'string',
  );
  assert.equal(typeof alterIsr(small, change, brokers(broker(3, { epoch: 2 })), rules), 'string');
  assert.equal(
    typeof alterIsr(small, change, brokers(broker(3, { draining: true })), rules),
    'string',
  );
  assert.equal(typeof alterIsr(small, { ...change, isr: [member(2)] }, brokers(), rules), 'string');
});

test('leadership goes back to the preferred replica once it is in sync', () => {
  const moved = line({ leader: member(2) });
  assert.deepEqual(preferLeader(moved, brokers()).leader, member(1));
  const outside = line({ leader: member(2), isr: [member(2), member(3)] });
  assert.equal(preferLeader(outside, brokers()), outside);
});

test('a damaged replica that withdraws neither leads nor counts, in a new epoch', () => {
  for (const id of [1, 2, 3]) {
    const after = withdraw(line(), member(id), brokers(), rules) as PartitionLine;
    assert.ok(![...after.isr, ...after.elr, after.leader].some((one) => one?.id === id));
    assert.deepEqual(after.leader, id === 1 ? member(2) : member(1));
    // What it confirmed before counts for nothing when it is back.
    assert.deepEqual([after.leaderEpoch, after.partitionEpoch], [6, 10]);
  }
});

test('who withdraws is not eligible either, however few are left', () => {
  const small = line({ isr: [member(1), member(2)] });
  const after = withdraw(small, member(2), brokers(), rules) as PartitionLine;
  assert.deepEqual([after.leader, after.isr, after.elr], [member(1), [member(1)], []]);
  const eligible = line({ isr: [member(1)], elr: [member(2)] });
  const led = withdraw(eligible, member(1), brokers(), rules) as PartitionLine;
  assert.deepEqual([led.leader, led.isr, led.elr], [member(2), [member(2)], []]);
});

test('the last copy does not withdraw, nor does one whose leader is dead', () => {
  const alone = withdraw(line({ isr: [member(1)] }), member(1), brokers(), rules);
  assert.ok('error' in alone && alone.error === 'ELIGIBLE_LEADERS_NOT_AVAILABLE');
  const dead = brokers(broker(1, { live: false }));
  const followed = withdraw(line({ isr: [member(1), member(2)] }), member(2), dead, rules);
  assert.ok('error' in followed);
  const unclean = { ...rules, uncleanLeaderElection: true };
  assert.ok('error' in withdraw(line({ isr: [member(1)] }), member(1), brokers(), unclean));
});

test('a member of another life has nothing to withdraw', () => {
  const before = line();
  assert.equal(withdraw(before, member(1, 9), brokers(), rules), before);
});

test('whoever withdraws, somebody who holds what was committed leads, in newer epochs', () => {
  const ids = [1, 2, 3];
  const some = fc.subarray(ids);
  fc.assert(
    fc.property(
      fc.record({
        isr: some,
        elr: some,
        dead: some,
        draining: some,
        leader: fc.constantFrom(null, ...ids),
        who: fc.constantFrom(...ids),
        epoch: fc.constantFrom(1, 2),
        minInsyncReplicas: fc.integer({ min: 1, max: 3 }),
        uncleanLeaderElection: fc.boolean(),
      }),
      ({ dead, draining, elr, epoch, isr, leader, who, ...lineRules }) => {
        const before = line({
          leader: leader === null || !isr.includes(leader) ? null : member(leader),
          isr: isr.map((id) => member(id)),
          elr: elr.filter((id) => !isr.includes(id)).map((id) => member(id)),
        });
        const views = brokers(
          ...ids.map((id) =>
            broker(id, { live: !dead.includes(id), draining: draining.includes(id) }),
          ),
        );
        const gone = member(who, epoch);
        const after = withdraw(before, gone, views, lineRules);
        if (after === before || 'error' in after) return;
        const holders = [...before.isr, ...before.elr];
        const { leader: leads } = after;
        assert.ok(leads !== null && hasMember(holders, leads) && hasMember(after.isr, leads));
        assert.ok(!dead.includes(leads.id), 'who leads is live');
        for (const one of [...after.isr, ...after.elr])
          assert.ok(hasMember(holders, one), 'nobody is let in by it');
        assert.ok(![...after.isr, ...after.elr, leads].some(({ id }) => id === who));
        assert.equal(after.leaderEpoch, before.leaderEpoch + 1);
        assert.equal(after.partitionEpoch, before.partitionEpoch + 1);
        assert.equal(withdraw(after, gone, views, lineRules), after, 'once is enough');
      },
    ),
    { numRuns: 2000 },
  );
});
