/** What every replica of a broker is doing, for people who wonder. */
import type { ClientListener } from '../network.ts';
import type { Partitions } from '../partition/partitions.ts';

/** JSON; `listener`: null before clients are served. */
export function partitionsPage(listener: ClientListener | null, all: Partitions): string {
  const connections = [...(listener?.connections ?? [])].map(({ id, peer, inFlight }) => ({
    id,
    peer,
    inFlight,
  }));
  const partitions = [...all].map((p) => ({
    topic: p.topic,
    partition: p.partition,
    role: p.role.kind,
    leaderEpoch: p.leaderEpoch,
    startOffset: p.log.startOffset,
    highWatermark: p.highWatermark,
    endOffset: p.log.endOffset,
    isr: p.line?.isr.map(({ id, epoch }) => `${id}@${epoch}`) ?? [],
    followers:
      p.leaderCore?.progress.map(({ id, brokerEpoch, endOffset }) => ({
        id,
        brokerEpoch,
        endOffset,
      })) ?? [],
    waitingProducers: p.waitingProducers,
    failure: p.log.failure?.message ?? null,
  }));
  return `${JSON.stringify({ connections, partitions }, null, 2)}\n`;
}
