/** A thread of the broker that unpacks batches and judges what is in them. */
import { parentPort } from 'node:worker_threads';
import { loadCodecs } from '../proto/kafka/compression.ts';
import { doPackedJob, type PackedJob, PackedJudge } from './partition/packed-core.ts';

async function main(): Promise<void> {
  await loadCodecs();
  const judge = new PackedJudge();
  const port = parentPort;
  port?.on('message', (job: PackedJob) => {
    const verdict = doPackedJob(judge, job);
    const moved = verdict.kind === 'ok' ? [verdict.bytes.buffer as ArrayBuffer] : [];
    port.postMessage(verdict, moved);
  });
}

void main();
