import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FinalView, TopicHistory, Values } from './history.ts';
import {
  judgeProcessed,
  ProducerLedger,
  ReaderLedger,
  type ReadRecord,
  SenderLedger,
  type Told,
  TransactionLedger,
} from './ledger-core.ts';
import * as model from './ledger-model.ts';

const view = (...committed: ReadRecord[]): model.View => ({ committed, uncommitted: committed });

function fill(history: TopicHistory, { committed }: model.View): FinalView {
  const final = new FinalView(history);
  for (const record of committed) final.add(...record);
  return final;
}

/** The ledger after all it was told, which says the same as the model. */
const judging =
  (
    ledgerOf: (history: TopicHistory) => {
      take(one: Told): void;
      judge(final: FinalView): string[];
    },
    plain: (told: readonly Told[], there: model.View) => string[],
  ) =>
  (told: readonly Told[], there: model.View): string[] => {
    const history = new TopicHistory();
    const ledger = ledgerOf(history);
    for (const one of told) ledger.take(one);
    const anomalies = ledger.judge(fill(history, there));
    assert.deepEqual(anomalies.toSorted(), plain(told, there).toSorted());
    return anomalies;
  };

const judgeAcknowledged = judging((of) => new SenderLedger(of), model.judgeAcknowledged);
const judgeTransactions = judging((of) => new TransactionLedger(of), model.judgeTransactions);
const judgeReader = judging((of) => new ReaderLedger(of), model.judgeReader);
const processed = (input: model.View, output: model.View): string[] => {
  const anomalies = judgeProcessed(
    fill(new TopicHistory(), input),
    fill(new TopicHistory(), output),
  );
  assert.deepEqual(anomalies.toSorted(), model.judgeProcessed(input, output).toSorted());
  return anomalies;
};
const acked = (offset: number, value: string, life = 0): Told => ({
  kind: 'acked',
  life,
  partition: 0,
  offset,
  value,
});
const txn = (outcome: 'committed' | 'aborted' | 'unknown', ...values: string[]): Told => ({
  kind: 'txn',
  outcome,
  values,
});
const read = (assignment: number, ...records: ReadRecord[]): Told => ({
  kind: 'read',
  assignment,
  records,
});
const words = (anomalies: readonly string[]) => anomalies.map((one) => one.split(':')[0]);

test('what was acknowledged is where it was acknowledged, once and in order', () => {
  const there = view([0, 0, 'a'], [0, 1, 'b']);
  assert.deepEqual(judgeAcknowledged([acked(0, 'a'), acked(1, 'b')], there), []);
  assert.deepEqual(words(judgeAcknowledged([acked(0, 'a'), acked(2, 'c')], there)), ['lost write']);
  assert.deepEqual(words(judgeAcknowledged([acked(5, 'a')], there)), ['moved']);
  assert.deepEqual(words(judgeAcknowledged([acked(1, 'b'), acked(0, 'a')], there)), ['order']);
  assert.deepEqual(judgeAcknowledged([acked(1, 'b', 0), acked(0, 'a', 1)], there), []);
  assert.deepEqual(words(judgeAcknowledged([], view([0, 0, 'a'], [0, 1, 'a']))), ['duplicate']);
  const dead: Told = { kind: 'died', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
  assert.deepEqual(words(judgeAcknowledged([dead], there)), ['a producer died']);
});

test('transactions are whole, there if they were committed, and not if they were aborted', () => {
  const there = view([0, 0, 'a'], [1, 0, 'b']);
  assert.deepEqual(judgeTransactions([txn('committed', 'a', 'b'), txn('aborted', 'x')], there), []);
  assert.deepEqual(judgeTransactions([txn('unknown', 'a', 'b'), txn('unknown', 'x')], there), []);
  assert.deepEqual(words(judgeTransactions([txn('unknown', 'a', 'x')], there)), [
    'torn transaction',
  ]);
  assert.deepEqual(words(judgeTransactions([txn('committed', 'x')], there)), ['lost transaction']);
  assert.deepEqual(words(judgeTransactions([txn('aborted', 'a')], there)), ['aborted read']);
});

test('a reader reads on from where it is, and what it read stays', () => {
  const there = view([0, 0, 'a'], [0, 3, 'b'], [0, 4, 'c']);
  assert.deepEqual(
    judgeReader([read(1, [0, 0, 'a'], [0, 3, 'b']), read(1, [0, 4, 'c'])], there),
    [],
  );
  assert.deepEqual(words(judgeReader([read(1, [0, 0, 'a'], [0, 4, 'c'])], there)), ['skip']);
  assert.deepEqual(words(judgeReader([read(1, [0, 4, 'c'], [0, 3, 'b'])], there)), ['went back']);
  assert.deepEqual(judgeReader([read(1, [0, 4, 'c']), read(2, [0, 0, 'a'])], there), []);
  assert.deepEqual(words(judgeReader([read(1, [0, 0, 'z'])], there)), ['unseen']);
});

test('each record is processed once', () => {
  const input = view([0, 0, 'a'], [0, 1, 'b']);
  assert.deepEqual(processed(input, view([0, 0, '0:0'], [0, 1, '0:1'])), []);
  assert.deepEqual(words(processed(input, view([0, 0, '0:0']))), ['not processed']);
  assert.deepEqual(words(processed(input, view([0, 0, '0:0'], [0, 1, '0:1'], [0, 2, '0:1']))), [
    'duplicate',
  ]);
});

/** What happened to some writers' records, and what may have gone wrong with it. */
interface Story {
  readonly log: ReadRecord[];
  readonly told: Told[];
  readonly transactions: Told[];
  readonly reads: Told[][];
}

const PARTITIONS = 3;

/** A topic as it should be, and what each client was told of it. */
const stories: fc.Arbitrary<Story> = fc
  .record({
    steps: fc.array(
      fc.record({
        writer: fc.nat(2),
        partition: fc.nat(PARTITIONS - 1),
        gap: fc.nat(2),
        hasOffset: fc.nat(9).map((n) => n > 0),
        isStrange: fc.nat(19).map((n) => n === 0),
        life: fc.nat(1),
      }),
      { maxLength: 40 },
    ),
    sizes: fc.array(fc.nat(4), { maxLength: 12 }),
    outcomes: fc.array(fc.constantFrom('committed', 'aborted', 'unknown'), { maxLength: 12 }),
    polls: fc.array(fc.array(fc.record({ count: fc.nat(5), isNew: fc.nat(7) })), { maxLength: 2 }),
  })
  .map(({ outcomes, polls, sizes, steps }) => {
    const log: ReadRecord[] = [];
    const told: Told[] = [];
    const ends = Array.from({ length: PARTITIONS }, () => 0);
    for (const [i, { gap, hasOffset, isStrange, life, partition, writer }] of steps.entries()) {
      const value = isStrange ? `strange ${i}` : `sender-${writer}:${i}`;
      const offset = (ends[partition] as number) + gap;
      ends[partition] = offset + 1;
      log.push([partition, offset, value]);
      told.push({ kind: 'acked', life, partition, offset: hasOffset ? offset : -1, value });
    }
    const transactions = sizes.map((size, i): Told => {
      const values = Array.from({ length: size }, (_, part) => `trader-0:${i}:${part}`);
      const outcome = outcomes[i] ?? 'committed';
      if (outcome === 'committed')
        for (const value of values) log.push([0, (ends[0] as number)++, value]);
      return { kind: 'txn', outcome, values };
    });
    const reads = polls.map((of) => {
      const records = Array.from({ length: PARTITIONS }, (_, partition) =>
        log.filter((record) => record[0] === partition),
      ).flat();
      let at = 0;
      let assignment = 0;
      return of.map(({ count, isNew }): Told => {
        if (isNew === 0) {
          assignment++;
          at = Math.max(0, at - 3);
        }
        at += count;
        return { kind: 'read', assignment, records: records.slice(at - count, at) };
      });
    });
    return { log, told, transactions, reads };
  });

/** Something that goes wrong: with the log, with what is told, with what is read. */
const mishaps = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...['lose', 'double', 'swap', 'change', 'show aborted', 'ack elsewhere', 'ack twice'],
      ...['reorder acks', 'die', 'skip read', 'reread', 'misread', 'tear'],
    ),
    at: fc.nat(60),
    to: fc.nat(60),
  }),
  { maxLength: 4 },
);

const pick = <T>(of: readonly T[], at: number): T | undefined => of[at % Math.max(1, of.length)];

function strike(story: Story, kind: string, at: number, to: number): void {
  const { log, reads, told, transactions } = story;
  const record = pick(log, at);
  const free = log.reduce((end, [, offset]) => Math.max(end, offset + 1), 0);
  if (kind === 'lose') log.splice(at, 1);
  if (kind === 'double' && record) log.push([to % PARTITIONS, free, record[2]]);
  if (kind === 'change' && record) log[log.indexOf(record)] = [record[0], record[1], 'x:1'];
  if (kind === 'swap' && record) {
    const other = pick(log, to) as ReadRecord;
    const i = log.indexOf(other);
    log[log.indexOf(record)] = [record[0], record[1], other[2]];
    log[i] = [other[0], other[1], record[2]];
  }
  const txn = pick(transactions, at);
  if (kind === 'show aborted' && txn?.kind === 'txn')
    for (const [i, value] of txn.values.entries()) log.push([0, free + i, value]);
  if (kind === 'tear' && txn?.kind === 'txn')
    transactions[transactions.indexOf(txn)] = { ...txn, values: [...txn.values, 'nobody:7:3'] };
  const one = pick(told, at);
  if (kind === 'ack elsewhere' && one?.kind === 'acked')
    told[told.indexOf(one)] = { ...one, offset: to };
  if (kind === 'ack twice' && one) told.splice(to, 0, one);
  if (kind === 'reorder acks' && one) told.splice(to, 0, ...told.splice(told.indexOf(one), 1));
  if (kind === 'die') told.splice(to, 0, { kind: 'died', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
  const of = pick(reads, to);
  const poll = of === undefined ? undefined : pick(of, at);
  if (of === undefined || poll?.kind !== 'read') return;
  const records = [...poll.records];
  const first = records[0];
  if (kind === 'skip read') records.splice(to % 3, 1);
  if (kind === 'reread') records.push(...records.slice(to % 3));
  if (kind === 'misread' && first) records[0] = [first[0], first[1], `nobody:${to}`];
  of[of.indexOf(poll)] = { ...poll, records };
}

test('a ledger finds what one finds who keeps everything, whatever goes wrong', () => {
  const found = new Map<string, number>();
  fc.assert(
    fc.property(stories, mishaps, (story, wrong) => {
      for (const { at, kind, to } of wrong) strike(story, kind, at, to);
      const { log, reads, told, transactions } = story;
      const there = view(...log);
      // All of them share what is known of the topic, as they do in a run.
      const history = new TopicHistory();
      const sender = new SenderLedger(history);
      const trader = new TransactionLedger(history);
      const producer = new ProducerLedger(history);
      const readers = reads.map(() => new ReaderLedger(history));
      for (let i = 0; i < Math.max(told.length, ...reads.map((of) => of.length)); i++) {
        const one = told[i];
        if (one !== undefined) sender.take(one);
        if (one?.kind === 'acked') producer.add(one.partition, one.offset, one.value);
        for (const [r, of] of reads.entries())
          for (const now of of.slice(i, i + 1)) readers[r]?.take(now);
      }
      for (const one of transactions) trader.take(one);
      const final = fill(history, there);
      const same = (lean: readonly string[], plain: readonly string[]) => {
        assert.deepEqual(lean.toSorted(), plain.toSorted());
        for (const word of words(plain)) found.set(word ?? '', (found.get(word ?? '') ?? 0) + 1);
      };
      same(sender.judge(final), model.judgeAcknowledged(told, there));
      same(trader.judge(final), model.judgeTransactions(transactions, there));
      for (const [r, reader] of readers.entries())
        same(reader.judge(final), model.judgeReader(reads[r] ?? [], there));
      const acknowledged = told.flatMap((one) =>
        one.kind === 'acked' ? [{ ...one, producer: 0 }] : [],
      );
      const places = new Map(
        log.map(([partition, offset, value]) => [`${partition}:${offset}`, value]),
      );
      same(
        [...final.duplicates, ...producer.judgeOrder(final)],
        model.judge(places, acknowledged, []),
      );
    }),
    { numRuns: 1500 },
  );
  const kinds = ['lost write', 'moved', 'order', 'duplicate', 'a producer died', 'unseen'];
  for (const kind of [
    ...kinds,
    'torn transaction',
    'lost transaction',
    'aborted read',
    'skip',
    'went back',
  ])
    assert.ok((found.get(kind) ?? 0) > 0, `${kind} is among what went wrong`);
});

test('a story in which nothing goes wrong has no anomalies', () => {
  fc.assert(
    fc.property(stories, ({ log, reads, told, transactions }) => {
      const lives = told.filter((one) => one.kind === 'acked' && one.life === 0);
      assert.deepEqual(judgeAcknowledged(lives, view(...log)), []);
      const txns = transactions.filter((one) => one.kind === 'txn' && one.values.length > 0);
      assert.deepEqual(judgeTransactions(txns, view(...log)), []);
      for (const of of reads) assert.deepEqual(judgeReader(of, view(...log)), []);
    }),
  );
});

test('what is asked and answered is judged as by one who keeps everything', () => {
  const places = fc.tuple(fc.nat(2), fc.nat(12));
  const texts = fc.oneof(
    places.map(([partition, offset]) => `${partition}:${offset}`),
    fc.constantFrom(
      '',
      'x',
      '1:02',
      '1:2:3',
      '-1:2',
      '70000:1',
      '0:4294967296',
      '1.5:1',
      'NaN:NaN',
    ),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(places, { selector: String }),
      fc.array(fc.tuple(fc.nat(2), texts)),
      (asked, answers) => {
        const input = asked.map(([partition, offset]): ReadRecord => [partition, offset, 'any']);
        const output = answers.map(([partition, text], i): ReadRecord => [partition, i, text]);
        processed(view(...input), view(...output));
      },
    ),
  );
});

test('a value is the same after it was a pair, and no other one is that pair', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'a:1',
      'a:01',
      'a:1:2',
      'a:10',
      'a:1:8',
      ':1',
      'a:b:5',
      'a:999999999:7',
      'a:\n:3',
    ),
    fc.stringMatching(/^[ab]:\d{1,11}(:\d{1,2})?$/),
  );
  fc.assert(
    fc.property(fc.array(texts), (all) => {
      const values = new Values();
      const pairs = all.map((text) => values.pairOf(text));
      assert.deepEqual(
        pairs.map((pair) => values.textOf(pair)),
        all,
      );
      assert.equal(new Set(pairs).size, new Set(all).size);
    }),
  );
});

test('what looks wrong is said before the end', () => {
  const history = new TopicHistory();
  const reader = new ReaderLedger(history);
  reader.take(read(1, [0, 0, 'a:0'], [0, 1, 'a:1']));
  assert.deepEqual(history.noticed, []);
  reader.take(read(1, [0, 2, 'a:1']));
  new ReaderLedger(history).take(read(1, [0, 1, 'a:7']));
  reader.take(read(1, [0, 1, 'a:1']));
  assert.deepEqual(history.noticed, [
    'a:1 is at 0:2 and was elsewhere',
    '0:1 was a:1, and is a:7',
    '0:1 was read after a later one',
  ]);
});

test('millions of records, acknowledged and read twice, take little room', () => {
  const RECORDS = 2_000_000;
  const BATCH = 200;
  const MIB = 2 ** 20;
  const used = () => {
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / MIB;
  };
  const before = used();
  const history = new TopicHistory();
  const sender = new SenderLedger(history);
  const readers = [new ReaderLedger(history), new ReaderLedger(history)];
  const final = new FinalView(history);
  for (let i = 0; i < RECORDS; i += BATCH) {
    const partition = (i / BATCH) % 6;
    const records = Array.from(
      { length: BATCH },
      (_, k): ReadRecord => [partition, Math.floor(i / BATCH / 6) * BATCH + k, `sender-0:${i + k}`],
    );
    for (const [at, offset, value] of records)
      sender.take({ kind: 'acked', life: 0, partition: at, offset, value });
    for (const reader of readers) reader.take({ kind: 'read', assignment: 1, records });
    for (const record of records) final.add(...record);
  }
  assert.deepEqual(sender.judge(final), []);
  for (const reader of readers) assert.deepEqual(reader.judge(final), []);
  const room = used() - before;
  assert.ok(room < 150, `${Math.round(room)} MiB for ${RECORDS} records`);
});
