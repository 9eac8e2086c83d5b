import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  buildBatch,
  buildTransactionMarker,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import { memoryDisk } from '../../stdx/disk-memory.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import type { NotedLog } from './log-inventory.ts';
import { PartitionLog } from './partition-log.ts';
import { TailMemory } from './tail-memory.ts';

const config = logConfig({ segmentBytes: 700, indexIntervalBytes: 100 });

type Op =
  | { readonly kind: 'data'; readonly producer: number }
  | { readonly kind: 'end'; readonly producer: number; readonly committed: boolean }
  | { readonly kind: 'write' | 'kill' | 'stop' | 'flush' }
  /** A loss of power took a snapshot that was not on stable storage. */
  | { readonly kind: 'loseSnapshot'; readonly which: number };

const producer = fc.integer({ min: 1, max: 3 });
const ops = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('data' as const), producer }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        producer,
        committed: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('write' as const, 'flush' as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'stop' as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('loseSnapshot' as const), which: fc.nat(9) }),
    },
  ),
  { minLength: 20, maxLength: 80 },
);

const FOLDER = '/data/t-0';

/** Checksums apart: who looks into a folder that nobody noted knows none. */
const withoutSums = (note: NotedLog | null) =>
  note && { ...note, segments: note.segments.map((segment) => segment.slice(0, 4)) };

const stateOf = (log: PartitionLog) => ({
  note: withoutSums(log.note),
  startOffset: log.startOffset,
  writtenOffset: log.writtenOffset,
  recoveryPoint: log.recoveryPoint,
  maxTimestamp: log.maxTimestamp,
  aborted: log.abortedTransactions(0, log.endOffset),
});

class Subject {
  readonly disk = memoryDisk();
  log = this.make();
  private sequence = 0;
  /** Open transactions by producer, and every one that was aborted. */
  readonly open = new Map<number, number>();
  readonly aborted: string[] = [];

  constructor() {
    this.log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  }

  private make(): PartitionLog {
    const deps = { disk: this.disk, files: new FileCache(this.disk, 4), tail: new TailMemory(0) };
    return new PartitionLog(deps, FOLDER, config);
  }

  data(producerId: number): void {
    if (!this.open.has(producerId)) this.open.set(producerId, this.log.endOffset);
    const bytes = buildBatch([{ key: null, value: Buffer.alloc(40, 'v') }], {
      timestampMs: 5,
      producerId,
      producerEpoch: 0,
      baseSequence: this.sequence++,
      attributes: TRANSACTIONAL_BIT,
    });
    this.log.append(bytes, { leaderEpoch: 0 });
  }

  end(producerId: number, committed: boolean): void {
    const firstOffset = this.open.get(producerId);
    if (firstOffset === undefined) return;
    this.open.delete(producerId);
    const { endOffset } = this.log;
    if (!committed) this.aborted.push(`${producerId}:${firstOffset}-${endOffset}`);
    const marker = { committed, coordinatorEpoch: 0 };
    const of = { timestampMs: 5, producerId, producerEpoch: 0 };
    this.log.append(buildTransactionMarker(marker, of), { leaderEpoch: 0 });
  }

  again(clean: boolean): void {
    this.log.writePending();
    if (clean) this.log.close();
    const { recoveryPoint, startOffset } = this.log;
    const known = { clean, recoveryPoint, startOffset };
    // As it goes through the file that an orderly stop writes.
    const { note } = this.log;
    const noted = clean ? (JSON.parse(JSON.stringify(note)) as NotedLog | null) : null;
    this.log = this.make();
    this.log.open(known, undefined, noted);
    if (!clean) return;
    const looked = this.make();
    looked.open(known);
    assert.deepEqual(stateOf(this.log), stateOf(looked), 'what was noted is what is there');
  }

  loseSnapshot(which: number): void {
    const names = this.disk.list(FOLDER).filter((name) => name.endsWith('.snapshot'));
    const name = names[which % Math.max(names.length, 1)];
    if (name !== undefined) this.disk.remove(`${FOLDER}/${name}`);
    this.again(false);
  }

  check(): void {
    this.log.writePending();
    const found = this.log
      .abortedTransactions(0, this.log.endOffset)
      .map(
        ({ firstOffset, lastOffset, producerId }) => `${producerId}:${firstOffset}-${lastOffset}`,
      );
    assert.deepEqual(found, this.aborted);
    const first = Math.min(...this.open.values(), Infinity);
    assert.equal(this.log.producers.firstUnstableOffset(this.log.endOffset), first);
  }
}

test('aborted and open transactions are known through rolls, kills, stops and lost snapshots (property)', async () => {
  await fc.assert(
    fc.asyncProperty(ops, async (list: readonly Op[]) => {
      const subject = new Subject();
      for (const op of list) {
        if (op.kind === 'data') subject.data(op.producer);
        else if (op.kind === 'end') subject.end(op.producer, op.committed);
        else if (op.kind === 'write') subject.log.writePending();
        else if (op.kind === 'loseSnapshot') subject.loseSnapshot(op.which);
        else if (op.kind === 'flush') {
          subject.log.writePending();
          await subject.log.flush();
        } else subject.again(op.kind === 'stop');
      }
      subject.check();
      subject.again(false);
      subject.check();
    }),
    { numRuns: 300 },
  );
});
