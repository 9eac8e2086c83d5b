/**
 * Who judges packed records: a little of it at once, where handing it on would cost more than the work, and
 * everything else on other threads. What is done at once in a turn has a bound, whatever batches say of
 * themselves.
 */
import { codecOf } from '../../proto/kafka/batch-body.ts';
import { isCodecReady } from '../../proto/kafka/compression.ts';
import type { Turn, TurnTask } from '../../stdx/turn.ts';
import type { Workers } from '../../stdx/workers.ts';
import { type PackedJob, PackedJudge, type RecordsVerdict } from './packed-core.ts';
import { TURN_SETTLE } from './partition.ts';
import type { RecordRules } from './records-core.ts';

/** A batch that is larger is not tried at once. */
const SMALL_BYTES = 16 * 1024;
/** Nor is more of one unpacked at once, */
const SMALL_UNPACKED_BYTES = 128 * 1024;
/** nor of all batches of a turn. */
const TURN_UNPACKED_BYTES = 256 * 1024;

export class RecordsJudge implements TurnTask {
  scheduled = false;
  private readonly turn: Turn;
  private readonly workers: Workers;
  private readonly judge = new PackedJudge();
  private left = TURN_UNPACKED_BYTES;

  constructor(turn: Turn, workers: Workers) {
    this.turn = turn;
    this.workers = workers;
  }

  /** The verdict, where that is little work; null: only later. The batch is right by its header. */
  now(b: Buffer, rules: RecordRules, nowMs: number): RecordsVerdict | null {
    if (b.length > SMALL_BYTES || this.left <= 0) return null;
    const packsAnew = rules.codec !== null && rules.codec !== codecOf(b);
    if (packsAnew && !isCodecReady(rules.codec)) return null;
    const verdict = this.judge.judge(b, rules, nowMs, SMALL_UNPACKED_BYTES);
    this.left -= this.judge.unpackedBytes;
    this.turn.schedule(TURN_SETTLE, this);
    return verdict;
  }

  /** A turn is over. */
  runInTurn(): void {
    this.left = TURN_UNPACKED_BYTES;
  }

  /**
   * @param bytes with memory of its own, which is another thread's until then
   * @param owner of many who ask, each has his turn
   */
  async later(
    bytes: Buffer,
    rules: RecordRules,
    nowMs: number,
    owner: object,
  ): Promise<RecordsVerdict> {
    const job: PackedJob = { bytes, rules: onlyOf(rules), nowMs };
    const verdict = (await this.workers.run(job, [bytes.buffer], owner)) as RecordsVerdict;
    if (verdict.kind !== 'ok') return verdict;
    const { buffer, byteOffset, byteLength } = verdict.bytes;
    return { ...verdict, bytes: Buffer.from(buffer, byteOffset, byteLength) };
  }
}

/** What a thread must know of them. */
function onlyOf(rules: RecordRules): RecordRules {
  const { isCompacted, logAppendTime, timestampBeforeMaxMs, timestampAfterMaxMs } = rules;
  const { codec, compressionLevel, unpackedBytesMax } = rules;
  return {
    isCompacted,
    logAppendTime,
    timestampBeforeMaxMs,
    timestampAfterMaxMs,
    codec,
    compressionLevel,
    unpackedBytesMax,
  };
}
