import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  batch,
  batchesOf,
  buildBatch,
  buildTransactionMarker,
  TRANSACTIONAL_BIT,
} from '../../proto/kafka/record-batch.ts';
import type { Disk } from '../../stdx/disk.ts';
import { SimDisk } from '../../test/sim/disk.ts';
import { Random } from '../../test/sim/random.ts';
import { logConfig } from '../../test/support/log-config.ts';
import { FileCache } from './file-cache.ts';
import type { NotedLog } from './log-inventory.ts';
import { snapshotPath } from './log-opening.ts';
import { PartitionLog } from './partition-log.ts';
import { ProducerState } from './producer-state.ts';
import { checkSegment } from './segment-check.ts';
import type { Producer } from './sequence-core.ts';
import { TailMemory } from './tail-memory.ts';

const FOLDER = '/data/t-0';
const config = logConfig({ segmentBytes: 900, indexIntervalBytes: 100 });

/** An orderly stop may leave no inventory, or a snapshot that is damaged later. */
type Restart = 'kill' | 'stop' | 'bareStop' | 'damagedStop' | 'losePower';

type Op =
  | { readonly kind: 'data'; readonly producer: number; readonly count: number }
  | { readonly kind: 'bump'; readonly producer: number }
  | { readonly kind: 'end'; readonly producer: number; readonly bumps: boolean }
  | { readonly kind: 'truncate' | 'deleteRecords' | 'restartAt'; readonly part: number }
  | { readonly kind: 'write' | 'flush' | 'copy' }
  | { readonly kind: Restart };

const producer = fc.integer({ min: 1, max: 4 });
const part = fc.double({ min: 0, max: 1, noNaN: true });
const kinds = <K extends string>(...of: readonly K[]) =>
  fc.record({ kind: fc.constantFrom(...of) });
const ops = fc.array(
  fc.oneof(
    {
      weight: 14,
      arbitrary: fc.record({
        kind: fc.constant('data' as const),
        producer,
        count: fc.integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('bump' as const), producer }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('end' as const), producer, bumps: fc.boolean() }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('truncate', 'deleteRecords'), part }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restartAt' as const), part }) },
    { weight: 3, arbitrary: kinds('write', 'flush') },
    { weight: 1, arbitrary: kinds('copy') },
    { weight: 3, arbitrary: kinds('kill', 'stop', 'bareStop', 'damagedStop', 'losePower') },
  ),
  { minLength: 30, maxLength: 90 },
);

interface Kept {
  readonly bytes: Buffer;
  readonly lastOffset: number;
}

function replay(batches: readonly Kept[]): ProducerState {
  const state = new ProducerState();
  for (const { bytes } of batches) state.observe(bytes, 0);
  return state;
}

class Subject {
  private readonly platter: SimDisk;
  readonly disk: Disk;
  log: PartitionLog;
  /** Every batch since the log began anew, also those that were deleted at its start. */
  private history: Kept[] = [];
  /** Producers with odd ids write in transactions. Epoch and next sequence. */
  private readonly clients = new Map<number, { epoch: number; sequence: number }>();

  constructor(seed: number) {
    this.platter = new SimDisk(new Random(seed));
    this.disk = this.platter.atOnce();
    this.log = this.make();
    this.log.open({ clean: false, recoveryPoint: 0, startOffset: 0 });
  }

  private make(): PartitionLog {
    const deps = { disk: this.disk, files: new FileCache(this.disk, 4), tail: new TailMemory(0) };
    return new PartitionLog(deps, FOLDER, config);
  }

  private client(id: number) {
    const known = this.clients.get(id) ?? { epoch: 0, sequence: 0 };
    this.clients.set(id, known);
    return known;
  }

  private append(bytes: Buffer): void {
    const kept = Buffer.from(this.log.append(bytes, { leaderEpoch: 0 }));
    this.history.push({ bytes: kept, lastOffset: batch.lastOffset(kept) });
  }

  data(producerId: number, count: number): void {
    const client = this.client(producerId);
    const records = Array.from({ length: count }, () => ({ key: null, value: Buffer.alloc(20) }));
    this.append(
      buildBatch(records, {
        timestampMs: 1000 + this.history.length,
        producerId,
        producerEpoch: client.epoch,
        baseSequence: client.sequence,
        attributes: producerId % 2 === 1 ? TRANSACTIONAL_BIT : 0,
      }),
    );
    client.sequence += count;
  }

  bump(producerId: number): void {
    if (this.log.producers.get(producerId)?.txnFirstOffset === -1)
      this.clients.set(producerId, { epoch: this.client(producerId).epoch + 1, sequence: 0 });
  }

  end(producerId: number, bumps: boolean): void {
    if ((this.log.producers.get(producerId)?.txnFirstOffset ?? -1) < 0) return;
    const client = this.client(producerId);
    if (bumps) {
      client.epoch++;
      client.sequence = 0;
    }
    const of = { timestampMs: 2000, producerId, producerEpoch: client.epoch };
    this.append(buildTransactionMarker({ committed: true, coordinatorEpoch: 1 }, of));
  }

  /** Clients go on after what is there. */
  private cut(): void {
    this.history = this.history.filter(({ lastOffset }) => lastOffset < this.log.endOffset);
    const state = replay(this.history);
    for (const [id, client] of this.clients) {
      const known = state.get(id);
      client.epoch = Math.max(known?.epoch ?? 0, client.epoch);
      const last = known?.epoch === client.epoch ? known.batches.at(-1) : undefined;
      client.sequence = last === undefined ? 0 : last.lastSequence + 1;
    }
  }

  truncate(share: number): void {
    this.log.writePending();
    const { startOffset, endOffset } = this.log;
    this.log.truncateTo(startOffset + Math.floor((endOffset - startOffset) * share));
    this.cut();
  }

  /** Before, at or behind its end. */
  restartAt(share: number): void {
    this.log.writePending();
    const { endOffset } = this.log;
    this.log.restartAt(share < 0.4 ? endOffset : Math.floor(endOffset * share * 1.5));
    this.history = [];
    this.cut();
  }

  deleteRecords(share: number): void {
    this.log.writePending();
    const { startOffset, endOffset } = this.log;
    this.log.advanceStartOffset(startOffset + Math.floor((endOffset - startOffset) * share));
    for (const path of this.log.retain(0, endOffset)) this.disk.remove(path);
  }

  async again(kind: Restart): Promise<void> {
    this.log.writePending();
    const clean = kind.toLowerCase().endsWith('stop');
    if (clean) {
      this.log.close();
      await this.log.flush();
    }
    const { recoveryPoint, startOffset } = this.log;
    const note = kind === 'stop' ? JSON.stringify(this.log.note) : 'null';
    if (kind === 'losePower') this.platter.losePower();
    if (kind === 'damagedStop') this.damageSnapshot();
    this.log = this.make();
    const known = { clean, lossy: kind === 'losePower', recoveryPoint, startOffset };
    this.log.open(known, undefined, JSON.parse(note) as NotedLog | null);
    await this.checkFiles();
    if (kind === 'losePower') {
      if (this.log.missingFrom !== null) this.restartAt(1);
      else this.cut();
    }
  }

  /** What a start takes over is whole, or made anew: nobody finds damage there that no disk did. */
  private async checkFiles(): Promise<void> {
    if (this.isDamaged) return;
    for (const segment of [...this.log.segmentsNow]) {
      const found = await checkSegment(this.log, segment, () => Promise.resolve());
      assert.equal(found, 'sound', segment.path(''));
    }
  }

  private isDamaged = false;
  private damageSnapshot(): void {
    this.isDamaged = true;
    const path = snapshotPath(FOLDER, this.log.endOffset);
    const bytes = this.disk.readBytes(path);
    if (bytes !== null) this.platter.flipBit(path, (bytes.length - 1) * 8);
  }

  private async inLog(): Promise<Kept[]> {
    const found: Kept[] = [];
    const first = this.history.find(({ bytes }) => batch.baseOffset(bytes) >= this.firstOffset);
    let offset = first === undefined ? this.log.endOffset : batch.baseOffset(first.bytes);
    while (offset < this.log.writtenOffset) {
      const request = { offset, bytesMax: 1e6, endOffset: Infinity, atLeastOne: true };
      const { buffers } = await this.log.read(request);
      assert.ok(buffers.length > 0, `there is something at ${offset}`);
      for (const bytes of buffers) {
        for (const { at, end } of batchesOf(bytes)) {
          const lastOffset = batch.lastOffset(bytes, at);
          found.push({ bytes: Buffer.from(bytes.subarray(at, end)), lastOffset });
          offset = lastOffset + 1;
        }
      }
    }
    return found;
  }

  /** Where the oldest segment begins. */
  private get firstOffset(): number {
    const name = this.disk.list(FOLDER).find((one) => one.endsWith('.log'));
    return name === undefined ? 0 : Number(name.slice(0, -4));
  }

  /** A replica that copies the log from its start, as a follower does. */
  async copy(): Promise<void> {
    this.log.writePending();
    const batches = await this.inLog();
    this.history = batches;
    const from = batches.length === 0 ? this.log.endOffset : batch.baseOffset(firstOf(batches));
    this.log.restartAt(from);
    for (const { bytes } of batches) this.log.append(bytes, null);
    this.cut();
  }

  /** Between what the log still holds and what it ever held. */
  async check(): Promise<void> {
    this.log.writePending();
    const all = replay(this.history);
    const held = replay(await this.inLog());
    const { producers } = this.log;
    for (const [id, { epoch, batches, txnFirstOffset, coordinatorEpoch }] of held.entries()) {
      const found = producers.get(id) as Producer;
      const ever = all.get(id) as Producer;
      assert.equal(found.epoch, epoch);
      assert.deepEqual(found.batches.slice(found.batches.length - batches.length), batches);
      assert.deepEqual(found.batches, ever.batches.slice(-found.batches.length || Infinity));
      if (txnFirstOffset >= 0) assert.ok(found.txnFirstOffset >= 0, 'what is open stays open');
      if (coordinatorEpoch >= 0) assert.equal(found.coordinatorEpoch, coordinatorEpoch);
    }
    for (const [id, { epoch }] of producers.entries()) assert.equal(all.get(id)?.epoch, epoch);
    // With the beginning of the log still there, all of it.
    if (this.history.length === (await this.inLog()).length)
      assert.deepEqual(new Map(producers.entries()), new Map(held.entries()));
  }
}

const firstOf = (batches: readonly Kept[]) => (batches[0] as Kept).bytes;

async function apply(subject: Subject, op: Op): Promise<void> {
  switch (op.kind) {
    case 'data':
      return subject.data(op.producer, op.count);
    case 'bump':
      return subject.bump(op.producer);
    case 'end':
      return subject.end(op.producer, op.bumps);
    case 'truncate':
    case 'deleteRecords':
    case 'restartAt':
      return subject[op.kind](op.part);
    case 'write':
      return subject.log.writePending();
    case 'flush':
      subject.log.writePending();
      return subject.log.flush();
    case 'copy':
      return subject.copy();
    default:
      return subject.again(op.kind);
  }
}

test('the last five batches of each producer survive rolls, cuts, copies and every kind of restart (property)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), ops, async (seed, list: readonly Op[]) => {
      const subject = new Subject(seed);
      for (const op of list) {
        await apply(subject, op);
        if (op.kind !== 'data' && op.kind !== 'write') await subject.check();
      }
      for (const kind of ['kill', 'bareStop', 'losePower', 'stop', 'damagedStop'] as const) {
        await subject.again(kind);
        await subject.check();
      }
    }),
    { numRuns: 200 },
  );
});

test('a producer with five requests in flight repeats them after an orderly stop, and no more than those', async () => {
  const subject = new Subject(1);
  for (let i = 0; i < 7; i++) subject.data(2, 3);
  for (const kind of ['stop', 'bareStop', 'damagedStop', 'kill'] as const) {
    await subject.again(kind);
    const verdicts = [0, 3, 6, 9, 12, 15, 18, 21].map((baseSequence) => {
      const of = { timestampMs: 1, producerId: 2, producerEpoch: 0, baseSequence };
      const records = Array.from({ length: 3 }, () => ({ key: null, value: Buffer.alloc(20) }));
      const verdict = subject.log.producers.judge(buildBatch(records, of), 0);
      return verdict.kind === 'duplicate' ? verdict.of.baseOffset : verdict.kind;
    });
    assert.deepEqual(verdicts, ['refuse', 'refuse', 6, 9, 12, 15, 18, 'append'], kind);
  }
});
