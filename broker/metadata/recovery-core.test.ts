import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { API_VERSION, type KafkaTopic } from '../../kube/kafka-objects.ts';
import { type Member, type PartitionLine, partitionKey } from '../../kube/partition-line.ts';
import { type BrokerView, settleLine } from './election-core.ts';
import type { PageAge } from './page-age.ts';
import {
  type BrokerReport,
  contradictions,
  type HeldReplica,
  rebuild,
  type StoreView,
} from './recovery-core.ts';

const NOTHING: StoreView = {
  hasState: false,
  generation: 0,
  pages: [],
  lines: new Map(),
  topics: [],
};
const ALL = { lost: new Set<number>(), allowLoss: false };
const line = (more: Partial<PartitionLine> = {}): PartitionLine => ({
  topic: 't',
  topicId: 'T',
  partition: 0,
  leader: { id: 0, epoch: 1 },
  leaderEpoch: 3,
  partitionEpoch: 7,
  replicas: [0, 1, 2],
  isr: [0, 1, 2].map((id) => ({ id, epoch: 1 })),
  elr: [],
  adding: [],
  removing: [],
  ...more,
});
const held = (more: Partial<HeldReplica> = {}): HeldReplica => ({
  topic: 't',
  topicId: 'T',
  partition: 0,
  line: line(),
  startOffset: 0,
  endOffset: 10,
  lastEpoch: 3,
  highWatermark: 10,
  config: { 'retention.ms': 5 },
  ...more,
});
/** A broker that came back with everything it had. */
const report = (id: number, replicas: HeldReplica[], more: Partial<BrokerReport> = {}) => ({
  id,
  epoch: 2,
  keptSince: 1,
  formerEpoch: 1,
  clusterId: 'C',
  storeGeneration: 4,
  producerIdEnd: 1000,
  pages: [],
  replicas,
  ...more,
});
const storeWith = (lines: PartitionLine[], more: Partial<StoreView> = {}): StoreView => ({
  hasState: true,
  generation: 4,
  pages: [],
  lines: new Map(lines.map((one) => [partitionKey(one.topicId, one.partition), one])),
  topics: [],
  ...more,
});
const topicObject = (status: KafkaTopic['status'], meta: object = {}): KafkaTopic => ({
  apiVersion: API_VERSION,
  kind: 'KafkaTopic',
  metadata: { name: 't', uid: '00000000-0000-4000-8000-00000000000a', ...meta },
  spec: { clusterRef: { name: 'c' } },
  status,
});

test('a store that knows all that volumes know is acted on', () => {
  const reports = [0, 1, 2].map((id) => report(id, [held()]));
  assert.deepEqual(contradictions(storeWith([line()]), reports), []);
});

test('each of what speaks against a store does so by itself, and says why', () => {
  const store = storeWith([line()]);
  const said = (more: Partial<StoreView>, of: BrokerReport) =>
    contradictions({ ...store, ...more }, [of]).join();
  assert.match(
    said({}, report(0, [held()], { storeGeneration: 5 })),
    /has seen generation 5 of what the Kubernetes API says, which is at 4/,
  );
  const topics = [topicObject({ topicId: 'T' })];
  assert.match(
    said({ lines: new Map(), topics }, report(0, [held()])),
    /broker 0 holds 1 partition that is in no KafkaPartitionMap: t-0/,
  );
  const many = Array.from({ length: 172 }, (_, partition) => held({ partition }));
  assert.equal(
    said({ lines: new Map(), topics }, report(0, many)),
    'broker 0 holds 172 partitions that are in no KafkaPartitionMap, such as t-0',
  );
  assert.match(said({}, report(0, [held({ lastEpoch: 4 })])), /newer epoch/);
  assert.match(said({}, report(0, [held({ line: line({ partitionEpoch: 8 }) })])), /newer epoch/);
});

test('who lacks something that was committed is not in sync after a recovery, whatever the line says', () => {
  const made = rebuild(
    NOTHING,
    [0, 1, 2].map((id) => report(id, [held(id === 2 ? { endOffset: 9, highWatermark: 9 } : {})])),
    ALL,
  );
  assert.deepEqual(
    made.lines[0]?.isr.map(({ id }) => id),
    [0, 1],
  );
});

test('a volume that did not live through the life of the member is not that member', () => {
  const members = [0, 1].map((id) => ({ id, epoch: 6 }));
  const newest = line({ isr: members, leader: members[0] as Member, replicas: [0, 1] });
  const of = (id: number, formerEpoch: number) =>
    report(id, [held({ line: newest })], { epoch: 9, keptSince: 3, formerEpoch });
  assert.deepEqual(rebuild(NOTHING, [of(0, 6), of(1, 5)], ALL).lines[0]?.isr, [
    { id: 0, epoch: 9 },
  ]);
});

test('a lost store is written again: epochs above any seen, ids, settings, producer ids', () => {
  const reports = [0, 1, 2].map((id) => report(id, [held()]));
  assert.notDeepEqual(contradictions(NOTHING, reports), []);
  const made = rebuild(NOTHING, reports, ALL);
  const [only] = made.lines;
  assert.equal(made.lines.length, 1);
  assert.ok((only?.leaderEpoch ?? 0) > 3);
  assert.ok((only?.partitionEpoch ?? 0) > 7);
  assert.deepEqual(
    only?.isr,
    [0, 1, 2].map((id) => ({ id, epoch: 2 })),
  );
  assert.deepEqual(made.topics, [
    { name: 't', topicId: 'T', partitions: 1, replicas: 3, config: { 'retention.ms': 5 } },
  ]);
  assert.ok(made.nextProducerId > 1000);
  assert.ok(made.generation > 4);
  assert.deepEqual(made.losses, []);
});

test('who was out of the newest ISR does not lead, however long its log is', () => {
  const newest = line({
    isr: [{ id: 1, epoch: 1 }],
    leader: { id: 1, epoch: 1 },
    leaderEpoch: 4,
    partitionEpoch: 9,
  });
  const made = rebuild(
    NOTHING,
    [
      report(0, [held({ endOffset: 50, highWatermark: 10 })]),
      report(1, [held({ line: newest, endOffset: 20, highWatermark: 20 })]),
      report(2, [held()]),
    ],
    ALL,
  );
  assert.deepEqual(made.lines[0]?.leader, { id: 1, epoch: 2 });
  assert.deepEqual(made.lines[0]?.isr, [{ id: 1, epoch: 2 }]);
});

test('a volume restored from an earlier life is no member, also where its new life has the same number', () => {
  const members = [0, 1].map((id) => ({ id, epoch: 6 }));
  const newest = line({ isr: members, leader: members[0] as Member, replicas: [0, 1] });
  const old = line({
    leaderEpoch: 2,
    partitionEpoch: 2,
    isr: members.map(({ id }) => ({ id, epoch: 4 })),
  });
  const made = rebuild(
    NOTHING,
    [
      report(0, [held({ line: newest })], { epoch: 7, keptSince: 3, formerEpoch: 6 }),
      report(1, [held({ line: old, endOffset: 10 })], { epoch: 6, keptSince: 3, formerEpoch: 5 }),
    ],
    ALL,
  );
  assert.deepEqual(made.lines[0]?.isr, [{ id: 0, epoch: 7 }]);
});

test('where nobody certainly has everything, nobody leads until the owner allows the loss, which is told', () => {
  const newest = line({ isr: [{ id: 2, epoch: 1 }], leader: { id: 2, epoch: 1 } });
  const reports = [
    report(0, [held({ line: newest, endOffset: 8, highWatermark: 8 })]),
    report(1, [held({ line: newest, endOffset: 9, highWatermark: 10 })]),
  ];
  const lost = new Set([2]);
  const waiting = rebuild(NOTHING, reports, { lost, allowLoss: false });
  assert.equal(waiting.lines[0]?.leader, null);
  assert.deepEqual(waiting.undecided, ['t-0']);
  // It may still come back with everything.
  assert.deepEqual(waiting.lines[0]?.isr, [{ id: 2, epoch: 1 }]);
  const allowed = rebuild(NOTHING, reports, { lost, allowLoss: true });
  assert.deepEqual(allowed.lines[0]?.leader, { id: 1, epoch: 2 });
  assert.match(allowed.losses[0] ?? '', /broker 1 leads with records 0 to 8: 1 records/);
  const stuck = storeWith(waiting.lines as PartitionLine[]);
  assert.deepEqual(contradictions(stuck, reports, false), []);
  assert.notDeepEqual(contradictions(stuck, reports, true), []);
  assert.deepEqual(rebuild(stuck, reports, { lost, allowLoss: true }).lines[0]?.leader, {
    id: 1,
    epoch: 2,
  });
});

test('an older store: what it does not know comes back, what it knows in older epochs is put right', () => {
  const later = held({
    topic: 'later',
    topicId: 'L',
    line: line({ topic: 'later', topicId: 'L' }),
  });
  const reports = [0, 1, 2].map((id) => report(id, [held(), later], { storeGeneration: 9 }));
  const store = storeWith([line({ leaderEpoch: 1, partitionEpoch: 2 })]);
  assert.equal(contradictions(store, reports).length > 0, true);
  const made = rebuild(store, reports, ALL);
  assert.deepEqual(made.lines.map(({ topic }) => topic).sort(), ['later', 't']);
  assert.ok(made.lines.every(({ leaderEpoch }) => leaderEpoch > 3));
  assert.ok(made.generation > 9);
});

test('a page that somebody saw later, or otherwise, is a doubt; one that he saw earlier is none', () => {
  const page = { name: 'p', generation: 4, changes: 20, sum: 1 };
  const store = storeWith([line()], { pages: [page] });
  const doubts = (more: Partial<PageAge>) =>
    contradictions(store, [report(0, [held()], { pages: [{ ...page, ...more }] })]);
  assert.match(doubts({ changes: 21 }).join(), /broker 0 has seen a later p than/);
  assert.equal(doubts({ generation: 5, changes: 2 }).length, 1);
  assert.equal(doubts({ sum: 2 }).length, 1, 'two memories wrote it');
  assert.deepEqual(doubts({}), []);
  assert.deepEqual(doubts({ changes: 19, sum: 2 }), []);
  assert.deepEqual(doubts({ generation: 3, changes: 30, sum: 2 }), []);
});

/** Who saw the end of a topic that the API remembers, dropped its records, and started again or not. */
const left = (id: number) => report(id, [], { storeGeneration: 5 });

test('who dropped its records with their topic does not lead beside those who have them still', () => {
  const before = line();
  const reports = [left(0), left(1), report(2, [held()])];
  assert.notDeepEqual(contradictions(storeWith([before]), reports), []);
  const { lines, losses } = rebuild(storeWith([before]), reports, ALL);
  const [made] = lines;
  assert.deepEqual(made?.isr, [{ id: 2, epoch: 2 }]);
  assert.deepEqual(made?.leader, { id: 2, epoch: 2 });
  assert.ok((made?.leaderEpoch ?? 0) > before.leaderEpoch);
  assert.deepEqual(losses, []);
});

test('a topic that ended on all of its replicas is there again in a new epoch, and the loss is told', () => {
  const { lines, losses } = rebuild(storeWith([line()]), [left(0), left(1), left(2)], ALL);
  assert.deepEqual(
    lines.map(({ isr, leaderEpoch }) => [isr.length, leaderEpoch]),
    [[3, 4]],
  );
  assert.match(losses.join(), /^t-0: its topic was deleted after what .* without records/);
});

test('of a topic that ended those who were out of sync bring nothing back, and hold nothing up', () => {
  const isr = [0, 1].map((id) => ({ id, epoch: 1 }));
  const store = storeWith([line({ isr })]);
  const late = report(2, [held({ line: line({ isr }), endOffset: 4, highWatermark: 4 })]);
  const made = rebuild(store, [left(0), left(1), late], ALL);
  assert.deepEqual(made.undecided, []);
  assert.deepEqual(
    made.lines[0]?.isr.map(({ id }) => id),
    [0, 1],
  );
  assert.equal(made.losses.length, 1);
  // Where a volume is lost nobody can say that it was the topic that ended.
  const lost = new Set([1]);
  assert.equal(rebuild(store, [left(0), late], { ...ALL, lost }).undecided.length, 1);
});

test('a broker that has not heard of a new topic is no reason to write its line again', () => {
  const reports = [report(0, [held()]), report(1, []), report(2, [])];
  assert.deepEqual(rebuild(storeWith([line()]), reports, ALL).lines, []);
});

test('of two leaderships in one epoch the one that others kept up with counts, and that is told', () => {
  const alone = line({
    leader: { id: 0, epoch: 2 },
    isr: [{ id: 0, epoch: 2 }],
    partitionEpoch: 9,
  });
  const forgotten = line({
    leader: { id: 1, epoch: 1 },
    isr: [1, 2].map((id) => ({ id, epoch: 1 })),
  });
  const store = storeWith([alone]);
  const reports = [
    report(0, [held({ line: alone, endOffset: 6, highWatermark: 6 })]),
    report(1, [held({ line: forgotten, highWatermark: 3 })]),
    report(2, [held({ line: forgotten, highWatermark: 3 })]),
  ];
  assert.match(contradictions(store, reports).join(), /broker 1 has records .* newer epoch/);
  const { lines, losses } = rebuild(store, reports, ALL);
  const [made] = lines;
  assert.deepEqual(
    made?.isr.map(({ id }) => id),
    [1, 2],
  );
  assert.ok((made?.leaderEpoch ?? 0) > 3 && (made?.partitionEpoch ?? 0) > 9);
  assert.match(losses.join(), /two brokers led in one epoch/);
});

test('a topic that ended while a broker was away does not come back with it', () => {
  const old = report(2, [held()], { storeGeneration: 3 });
  assert.deepEqual(contradictions(storeWith([]), [old]), []);
  // Nor where the store is lost afterwards: others should hold it, know more and do not.
  const others = [0, 1].map((id) => report(id, [], { storeGeneration: 4 }));
  assert.deepEqual(rebuild(NOTHING, [...others, old], ALL).lines, []);
});

test('of two topics that had one name the one that was seen last lives', () => {
  const second = held({ topicId: 'U', line: line({ topicId: 'U' }) });
  const made = rebuild(
    NOTHING,
    [
      report(0, [second], { storeGeneration: 9 }),
      report(1, [second], { storeGeneration: 9 }),
      report(2, [held()], { storeGeneration: 4 }),
    ],
    ALL,
  );
  assert.deepEqual(
    made.lines.map(({ topicId }) => topicId),
    ['U'],
  );
});

test('pages that are gone although their topics are there are no order to begin anew', () => {
  const topics = [topicObject({ topicId: 'T', partitions: 1 })];
  const store = storeWith([], { topics });
  const [first] = contradictions(store, []);
  assert.match(first ?? '', /topic t has partitions that are in no KafkaPartitionMap/);
  const reports = [0, 1, 2].map((id) => report(id, [held()]));
  assert.equal(rebuild(store, reports, ALL).lines.length, 1);
  // And where nobody holds anything, that is said.
  assert.match(rebuild(store, [report(0, [])], ALL).losses[0] ?? '', /no broker holds anything/);
});

// ---- a model: any history of a partition, then the store is lost ------------------------------------

interface Log {
  /** The epoch in which each record was written. */
  epochs: number[];
  line: PartitionLine;
  highWatermark: number;
}
type Step =
  | { kind: 'write'; count: number }
  | { kind: 'copy'; to: number }
  | { kind: 'shrink'; out: number }
  | { kind: 'expand'; into: number }
  | { kind: 'crash'; id: number }
  | { kind: 'hear'; id: number };

const rules = { minInsyncReplicas: 1, uncleanLeaderElection: false };

/** Brokers never lose what they wrote here; what they hear of lines comes late, but a leader acts on none before it noted it. */
class World {
  truth = line({ leaderEpoch: 0, partitionEpoch: 0 });
  readonly logs = new Map<number, Log>();
  readonly lives = new Map([0, 1, 2].map((id) => [id, 1]));
  committed: number[] = [];
  private confirmed = new Map<number, number>();

  constructor() {
    for (const id of [0, 1, 2])
      this.logs.set(id, { epochs: [], line: this.truth, highWatermark: 0 });
  }

  private log(id: number): Log {
    return this.logs.get(id) as Log;
  }

  private brokers(dead = -1): Map<number, BrokerView> {
    return new Map(
      [...this.lives].map(([id, epoch]) => [
        id,
        { id, epoch, live: id !== dead, draining: false, keptSince: 1, rack: null },
      ]),
    );
  }

  private decide(next: PartitionLine): void {
    const before = this.truth;
    this.truth = next;
    const { leader } = next;
    if (
      leader === null ||
      (next.leaderEpoch === before.leaderEpoch && leader.id === before.leader?.id)
    )
      return;
    this.confirmed = new Map();
  }

  /** The leader acts: it notes its line, and commits what all of its ISR confirmed in this epoch. */
  private act(): void {
    const { leader, isr, leaderEpoch } = this.truth;
    if (leader === null || this.lives.get(leader.id) !== leader.epoch) return;
    const own = this.log(leader.id);
    own.line = this.truth;
    this.confirmed.set(leader.id, own.epochs.length);
    const all = isr.map(({ id }) => this.confirmed.get(id) ?? -1);
    const end = Math.min(...all);
    if (end > this.committed.length) this.committed = own.epochs.slice(0, end);
    own.highWatermark = Math.max(own.highWatermark, Math.min(end, this.committed.length), 0);
    assert.ok(leaderEpoch >= 0);
  }

  run(step: Step): void {
    const { leader } = this.truth;
    if (step.kind === 'hear') this.log(step.id).line = this.truth;
    if (step.kind === 'crash') {
      this.lives.set(step.id, (this.lives.get(step.id) ?? 0) + 1);
      this.decide(settleLine(this.truth, this.brokers(step.id), rules).line);
      this.decide(settleLine(this.truth, this.brokers(), rules).line);
    }
    if (leader === null || this.truth.leader === null) return;
    const led = this.log(this.truth.leader.id);
    const isHeard = led.line.leaderEpoch === this.truth.leaderEpoch;
    if (step.kind === 'write' && isHeard)
      for (let i = 0; i < step.count; i++) led.epochs.push(this.truth.leaderEpoch);
    if (step.kind === 'copy' && step.to !== this.truth.leader.id && isHeard) {
      // A follower notes the line that it follows, cuts where its log parts, and confirms.
      const copy = this.log(step.to);
      copy.line = this.truth;
      copy.epochs = [...led.epochs];
      this.confirmed.set(step.to, copy.epochs.length);
      copy.highWatermark = Math.min(led.highWatermark, copy.epochs.length);
    }
    if (step.kind === 'shrink' && step.out !== this.truth.leader.id) {
      const isr = this.truth.isr.filter(({ id }) => id !== step.out);
      if (isr.length < this.truth.isr.length)
        this.decide({ ...this.truth, isr, partitionEpoch: this.truth.partitionEpoch + 1 });
    }
    if (step.kind === 'expand' && !this.truth.isr.some(({ id }) => id === step.into)) {
      const has = this.confirmed.get(step.into) ?? -1;
      if (has >= this.committed.length && has === led.epochs.length && isHeard) {
        const isr = [...this.truth.isr, { id: step.into, epoch: this.lives.get(step.into) ?? 0 }];
        this.decide({ ...this.truth, isr, partitionEpoch: this.truth.partitionEpoch + 1 });
      }
    }
    if (step.kind !== 'crash') this.act();
  }

  reports(): BrokerReport[] {
    return [...this.logs].map(([id, { epochs, highWatermark, line: noted }]) =>
      report(
        id,
        [
          held({
            line: noted,
            endOffset: epochs.length,
            lastEpoch: epochs.at(-1) ?? -1,
            highWatermark,
          }),
        ],
        {
          // Every broker was started again.
          epoch: (this.lives.get(id) ?? 0) + 1,
          formerEpoch: this.lives.get(id) ?? 0,
          keptSince: 1,
        },
      ),
    );
  }
}

const broker = fc.integer({ min: 0, max: 2 });
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('write' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('copy' as const), to: broker }),
    fc.record({ kind: fc.constant('copy' as const), to: broker }),
    fc.record({ kind: fc.constant('shrink' as const), out: broker }),
    fc.record({ kind: fc.constant('expand' as const), into: broker }),
    fc.record({ kind: fc.constant('crash' as const), id: broker }),
    fc.record({ kind: fc.constant('hear' as const), id: broker }),
  ),
  { maxLength: 40 },
);

test('whoever leads or is in sync after a store is lost holds everything that was committed', () => {
  let committed = 0;
  fc.assert(
    fc.property(steps, (history) => {
      const world = new World();
      for (const step of history) world.run(step);
      committed += world.committed.length;
      const made = rebuild(NOTHING, world.reports(), ALL);
      const [only] = made.lines;
      assert.ok(only !== undefined);
      assert.deepEqual(made.undecided, [], 'every volume is there: somebody has everything');
      for (const { id } of [...only.isr, ...only.elr]) {
        const { epochs } = world.logs.get(id) as Log;
        assert.deepEqual(epochs.slice(0, world.committed.length), world.committed);
      }
      assert.ok(only.isr.length + only.elr.length > 0);
    }),
    { numRuns: 3000 },
  );
  assert.ok(committed > 1000, 'the histories commit something');
});
