import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch, TRANSACTIONAL_BIT } from '../../proto/kafka/record-batch.ts';
import {
  isSequenceBefore,
  judgeSequence,
  type Producer,
  type SequenceVerdict,
  sequencePlus,
  type TransactionStart,
} from './sequence-core.ts';

const COUNT = 10;
const EPOCH = 3;

/** Five batches, 100-109 to 140-149, at the offsets of the same numbers. */
const window = [100, 110, 120, 130, 140].map((first) => ({
  baseSequence: first,
  lastSequence: first + COUNT - 1,
  baseOffset: first,
  lastOffset: first + COUNT - 1,
}));
const producer = (more: Partial<Producer>): Producer => ({
  epoch: EPOCH,
  batches: window,
  lastTimestampMs: 1,
  coordinatorEpoch: -1,
  txnFirstOffset: -1,
  seenAt: 149,
  ...more,
});

const known = {
  'unknown or expired': null,
  'idle after batches': producer({}),
  'in a transaction': producer({ txnFirstOffset: 100 }),
  'after a marker with that epoch': producer({ batches: [], coordinatorEpoch: 0 }),
} as const;
const epochs = { old: EPOCH - 1, same: EPOCH, new: EPOCH + 1 } as const;
const sequences = {
  zero: 0,
  next: 150,
  'beyond the next': 160,
  'the newest again': 140,
  'the oldest kept again': 100,
  'before what is kept': 90,
  'inside of what is kept': 105,
} as const;
const lowest = (sequence: number, ownEpoch: boolean) => (epoch: number) => ({
  epoch,
  lowestSequence: sequence,
  ownEpoch,
});
/** How the batch came, and which start of a transaction was verified for it. */
const ways = {
  idempotent: { isTransactional: false, start: () => () => null },
  'transactional, not verified': { isTransactional: true, start: () => () => null },
  'verified, nothing before it': {
    isTransactional: true,
    start: (sequence: number) => lowest(sequence, false),
  },
  'verified, one before it was refused': {
    isTransactional: true,
    start: (sequence: number) => lowest(sequencePlus(sequence, -5), false),
  },
  'verified, in an epoch of its own': {
    isTransactional: true,
    start: (sequence: number) => lowest(sequence, true),
  },
} as const;

type Expected = 'append' | 'duplicate' | 'out of order' | 'fenced' | 'outside';
interface Row {
  readonly known?: keyof typeof known;
  readonly epoch?: keyof typeof epochs;
  readonly sequence?: readonly (keyof typeof sequences)[];
  readonly way?: readonly (keyof typeof ways)[];
  readonly is: Expected;
}

/** The first row that fits holds. */
const rows: readonly Row[] = [
  // What is not known may have expired; but nothing overtakes what was refused and comes again.
  {
    known: 'unknown or expired',
    way: ['idempotent', 'transactional, not verified', 'verified, nothing before it'],
    is: 'append',
  },
  {
    known: 'unknown or expired',
    way: ['verified, one before it was refused'],
    is: 'out of order',
  },
  {
    known: 'unknown or expired',
    way: ['verified, in an epoch of its own'],
    sequence: ['zero'],
    is: 'append',
  },
  { known: 'unknown or expired', is: 'out of order' },
  { epoch: 'old', is: 'fenced' },
  { known: 'in a transaction', way: ['idempotent'], is: 'outside' },
  { epoch: 'new', sequence: ['zero'], is: 'append' },
  { epoch: 'new', is: 'out of order' },
  { known: 'after a marker with that epoch', sequence: ['zero'], is: 'append' },
  { known: 'after a marker with that epoch', is: 'out of order' },
  { sequence: ['next'], is: 'append' },
  { sequence: ['the newest again', 'the oldest kept again'], is: 'duplicate' },
  { is: 'out of order' },
];

function outcome(verdict: SequenceVerdict): Expected {
  if (verdict.kind !== 'refuse') return verdict.kind;
  switch (verdict.error) {
    case 'OUT_OF_ORDER_SEQUENCE_NUMBER':
      return 'out of order';
    case 'INVALID_PRODUCER_EPOCH':
      return 'fenced';
    default:
      assert.equal(verdict.error, 'INVALID_TXN_STATE');
      return 'outside';
  }
}

function clientBatch(producerEpoch: number, baseSequence: number, isTransactional: boolean) {
  return buildBatch(
    Array.from({ length: COUNT }, () => ({ key: null, value: Buffer.from('v') })),
    {
      timestampMs: 1,
      producerId: 7,
      producerEpoch,
      baseSequence,
      attributes: isTransactional ? TRANSACTIONAL_BIT : 0,
    },
  );
}

const keys = <T extends object>(of: T) => Object.keys(of) as (keyof T)[];

test('every combination of what is known, epoch, sequence and way of a batch is decided as in Kafka', () => {
  const used = new Set<Row>();
  for (const k of keys(known)) {
    for (const e of keys(epochs)) {
      for (const s of keys(sequences)) {
        for (const w of keys(ways)) {
          const row = rows.find(
            (one) =>
              (one.known ?? k) === k &&
              (one.epoch ?? e) === e &&
              (one.sequence?.includes(s) ?? true) &&
              (one.way?.includes(w) ?? true),
          ) as Row;
          used.add(row);
          const way = ways[w];
          const start: TransactionStart | null = way.start(sequences[s])(epochs[e]);
          const b = clientBatch(epochs[e], sequences[s], way.isTransactional);
          const verdict = judgeSequence(known[k], start, b, 0);
          assert.equal(outcome(verdict), row.is, `${k}; ${e} epoch; ${s}; ${w}`);
          if (verdict.kind === 'duplicate') assert.equal(verdict.of.baseSequence, sequences[s]);
        }
      }
    }
  }
  assert.equal(used.size, rows.length, 'no row of the table is idle');
});

test('sequences go on with 0 after the last one, within a batch and between batches', () => {
  const last = (lastSequence: number) =>
    producer({
      batches: [
        {
          baseSequence: sequencePlus(lastSequence, -(COUNT - 1)),
          lastSequence,
          baseOffset: 0,
          lastOffset: COUNT - 1,
        },
      ],
    });
  const judge = (of: Producer, sequence: number) =>
    outcome(judgeSequence(of, null, clientBatch(EPOCH, sequence, false), 0));
  assert.equal(judge(last(0x7fff_ffff), 0), 'append');
  assert.equal(judge(last(0x7fff_ffff), 1), 'out of order');
  assert.equal(judge(last(4), 5), 'append');
  assert.equal(judge(last(4), 0x7fff_fffb), 'duplicate', 'it began before the wrap');
  assert.equal(isSequenceBefore(0x7fff_ffff, 0), true);
  assert.equal(isSequenceBefore(0, 0x7fff_ffff), false);
  assert.equal(isSequenceBefore(5, 5), false);
});

test('records of coordinators have no sequence: only their epoch is looked at', () => {
  const judge = (epoch: number) =>
    outcome(judgeSequence(producer({}), null, clientBatch(epoch, -1, true), 0));
  assert.deepEqual([EPOCH - 1, EPOCH, EPOCH + 1].map(judge), ['fenced', 'append', 'append']);
});
