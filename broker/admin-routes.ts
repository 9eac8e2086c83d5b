/** What a broker tells those who look after it: whether it lives and is ready, its metrics, its partitions. */
import type { AdminRoutes } from '../stdx/admin-http.ts';
import type { Clock } from '../stdx/clock.ts';
import { type BrokerMetrics, paceOf } from './observe/metrics.ts';
import { partitionsPage } from './observe/partitions-page.ts';
import type { Partitions } from './partition/partitions.ts';
import type { Connection } from './server/connection.ts';

export function adminRoutes(of: {
  readonly clock: Clock;
  readonly metrics: BrokerMetrics;
  readonly partitions: Partitions;
  readonly live: () => string | null;
  readonly ready: () => string | null;
  readonly connections: () => Iterable<Connection>;
}): AdminRoutes {
  const { clock, connections, live, metrics, partitions, ready } = of;
  return {
    live,
    ready,
    metrics: () => ({
      contentType: metrics.registry.contentType,
      body: metrics.scrape(paceOf(clock)),
    }),
    pages: {
      '/partitions': () => ({
        contentType: 'application/json',
        body: partitionsPage(connections(), partitions),
      }),
    },
  };
}
