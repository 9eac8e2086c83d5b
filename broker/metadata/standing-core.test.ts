import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FormerLife, judgeStanding, type Seen, type Witness } from './standing-core.ts';

const former = (of: Partial<FormerLife> = {}): FormerLife => ({
  epoch: 7,
  keptSince: 3,
  incarnation: 'seven',
  begun: [],
  keptData: true,
  ...of,
});
const seen = (of: Partial<Seen> = {}): Seen => ({
  lease: { epoch: 7, incarnation: 'seven' },
  broker: { epoch: 7, incarnation: 'seven' },
  pagesEpoch: 7,
  self: 'me',
  ...of,
});
const keeps = (a: FormerLife | null, b: Seen) => judgeStanding(a, b).lost === null;

test('volumes of the last life keep their standing', () => {
  assert.deepEqual(judgeStanding(former(), seen()), { epoch: 8, keptSince: 3, lost: null });
});

test('volumes that are older than what the Lease knows are new ones', () => {
  const later = { epoch: 9, incarnation: 'nine' };
  const standing = judgeStanding(former(), seen({ lease: later }));
  assert.deepEqual([standing.epoch, standing.keptSince], [10, 10]);
  assert.match(standing.lost ?? '', /life 9 .* only life 7/);
  assert.equal(keeps(former(), seen({ broker: later })), false);
  assert.equal(keeps(former(), seen({ pagesEpoch: 9 })), false);
  // An earlier version wrote the Lease.
  assert.equal(keeps(former(), seen({ lease: { epoch: 9, incarnation: '' } })), false);
});

test('of two volumes that lived under one epoch, only the one is believed that the Lease names', () => {
  assert.equal(keeps(former(), seen({ lease: { epoch: 7, incarnation: 'other' } })), false);
  assert.equal(keeps(former(), seen({ lease: { epoch: 7, incarnation: '' } })), true);
});

test('a process that ended between its Lease and its first word took nothing away', () => {
  const begun = former({ begun: ['eight'] });
  const lease = { epoch: 8, incarnation: 'eight' };
  assert.equal(keeps(begun, seen({ lease })), true);
  assert.equal(judgeStanding(begun, seen({ lease })).epoch, 9);
  assert.equal(keeps(former(), seen({ lease })), false, 'other volumes had that life');
  // It was announced, so it had noted its life, and these volumes are a copy from before that.
  assert.equal(keeps(begun, seen({ lease, broker: lease })), false);
});

test('its own earlier tries say nothing against a process', () => {
  const mine = { epoch: 8, incarnation: 'me' };
  assert.deepEqual(judgeStanding(former(), seen({ lease: mine, broker: mine })), {
    epoch: 9,
    keptSince: 3,
    lost: null,
  });
});

test('a Lease that was deleted is replaced by what else is known', () => {
  const gone = seen({ lease: null });
  assert.deepEqual(judgeStanding(former(), gone), { epoch: 8, keptSince: 3, lost: null });
  const older = former({ epoch: 5, incarnation: 'five' });
  assert.equal(keeps(older, gone), false, 'the KafkaBroker knows better');
  assert.equal(keeps(older, seen({ lease: null, broker: null })), false, 'the pages know better');
  assert.equal(judgeStanding(older, seen({ lease: null, broker: null })).epoch, 8);
  assert.equal(keeps(former(), seen({ lease: null, broker: null, pagesEpoch: 6 })), true);
});

test('an API whose memory is older says nothing against volumes', () => {
  const old = { epoch: 5, incarnation: 'five' };
  const standing = judgeStanding(former(), seen({ lease: old, broker: old, pagesEpoch: 5 }));
  assert.deepEqual(standing, { epoch: 8, keptSince: 3, lost: null });
});

test('whoever knows nothing of a life that others know has lost it', () => {
  const standing = judgeStanding(null, seen());
  assert.deepEqual([standing.epoch, standing.keptSince], [8, 8]);
  assert.notEqual(standing.lost, null);
  const first = judgeStanding(null, seen({ lease: null, broker: null, pagesEpoch: -1 }));
  assert.deepEqual(first, { epoch: 1, keptSince: 1, lost: null });
  assert.equal(keeps(former({ keptData: false }), seen()), false);
});

/** One broker, its volumes and copies of them, and what the API remembers. */
interface Volume {
  former: FormerLife | null;
  /** Everything that was acknowledged with this replica in the ISR and lies here. */
  records: number;
}
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('live' as const), writes: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      after: fc.constantFrom('begin', 'lease', 'note', 'announce'),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'copy' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('restore' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'leaseGone' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'brokerGone' as const }) },
);

test('however volumes are copied, restored and begun with, a member of an ISR has all that was acknowledged', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let volume: Volume = { former: null, records: 0 };
      const copies: Volume[] = [];
      let lease: Witness | null = null;
      let broker: Witness | null = null;
      let member: number | null = null;
      let acknowledged = 0;
      let lives = 0;
      /** Begins a life, up to a point. */
      const begin = (until = 'announce') => {
        const incarnation = `life-${++lives}`;
        const { former: before } = volume;
        const pagesEpoch = member ?? -1;
        const standing = judgeStanding(before, { lease, broker, pagesEpoch, self: incarnation });
        const { epoch, keptSince } = standing;
        if (before !== null) volume.former = { ...before, begun: [incarnation] };
        if (until === 'begin') return;
        lease = { epoch, incarnation };
        if (until === 'lease') return;
        volume.former = { epoch, keptSince, incarnation, begun: [], keptData: true };
        if (until === 'note') return;
        broker = { epoch, incarnation };
        if (member !== null && keptSince <= member && epoch > member) {
          assert.equal(
            volume.records,
            acknowledged,
            `life ${epoch} is not what the ISR takes it for`,
          );
        } else {
          // Out of the ISR, and in again with everything that the others have.
          volume.records = acknowledged;
        }
        member = epoch;
      };
      for (const one of steps) {
        if (one.kind === 'live') {
          begin();
          acknowledged += one.writes;
          volume.records = acknowledged;
        } else if (one.kind === 'crash') begin(one.after);
        else if (one.kind === 'copy') copies.push({ ...volume });
        else if (one.kind === 'leaseGone') lease = null;
        else if (one.kind === 'brokerGone') broker = null;
        else if (copies.length > 0) volume = { ...(copies[one.which % copies.length] as Volume) };
      }
    }),
    { numRuns: 2000 },
  );
});
