/** What every replica of a broker is doing, for people who wonder. */
import type { Partitions } from '../partition/partitions.ts';
import type { Connection } from '../server/connection.ts';

/** As JSON. */
export function partitionsPage(open: Iterable<Connection>, all: Partitions): string {
  const connections = [...open].map(({ id, peer, inFlight }) => ({
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
