/** What others have to wait for while clients do what they should not: the longest stretches of the event loop. */
import { startClients } from './client-thread.ts';
import { sleepMs, until } from './wait.ts';

export interface Attack {
  readonly name: string;
  readonly frame: Buffer;
  readonly connections?: number;
  readonly ahead?: number;
}

export interface Stall {
  /** The most that the loop worked without letting anybody else in: processor time, so that other programs do not count. */
  readonly worstMs: number;
  readonly produceP50Ms: number;
  readonly produceP999Ms: number;
  readonly produceMaxMs: number;
  readonly failed: number;
  readonly answers: number;
  readonly answerMiB: number;
  readonly closed: number;
  readonly heapMiB: number;
}

const TICK_MS = 2;
const PRODUCE_EVERY_MS = 10;
const PATIENCE_MS = 60_000;

/** Watches this thread's loop: a timer that is due finds out how much was worked since it ran last. */
function watchLoop(): () => { worstMs: number; heapMiB: number } {
  const cpuMs = () => {
    const { system, user } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = cpuMs();
  let worstMs = 0;
  let heap = 0;
  const timer = setInterval(() => {
    const now = cpuMs();
    worstMs = Math.max(worstMs, now - last);
    last = now;
    heap = Math.max(heap, process.memoryUsage.rss());
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    return { worstMs: Math.max(worstMs, cpuMs() - last), heapMiB: heap / 1024 / 1024 };
  };
}

/** A good client beside an attack for so long. */
export async function measureStall(
  port: number,
  { ahead = 2, connections = 4, frame }: Attack,
  forMs: number,
): Promise<Stall> {
  const good = startClients({ kind: 'good', port, everyMs: PRODUCE_EVERY_MS });
  await until('it produces', PATIENCE_MS, async () => (await good.look()).latenciesMs.length > 0);
  const watched = watchLoop();
  const bad = startClients({ kind: 'flood', port, frame, connections, ahead });
  await sleepMs(forMs);
  await until('an answer', PATIENCE_MS, async () => {
    const { answers, closed } = await bad.look();
    return answers + closed > 0;
  });
  const { worstMs, heapMiB } = watched();
  const { failed, latenciesMs } = await good.end();
  const { answerBytes, answers, closed } = await bad.end();
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity;
  return {
    worstMs,
    produceP50Ms: at(0.5),
    produceP999Ms: at(0.999),
    produceMaxMs: at(1),
    failed,
    answers,
    answerMiB: answerBytes / 1024 / 1024,
    closed,
    heapMiB,
  };
}
