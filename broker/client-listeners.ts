/** Where clients come in: every listener of a broker, and what their requests pass through. */
import type { Clock } from '../stdx/clock.ts';
import type { Lifetime } from '../stdx/lifetime.ts';
import type { Logger } from '../stdx/logger.ts';
import type { Turn } from '../stdx/turn.ts';
import type { Api } from './api/handler.ts';
import type { BrokerConfig } from './config/config.ts';
import type { MemoryBudget } from './memory/memory-budget-core.ts';
import type { MetadataImage } from './metadata/image.ts';
import { limitFor } from './metadata/quotas-core.ts';
import type { BrokerNetwork, ClientListener } from './network.ts';
import type { BrokerOptions } from './options.ts';
import type { ConnectionGate } from './server/connection-gate.ts';
import { Dispatch, type RequestObserver } from './server/dispatch.ts';
import { Quotas } from './server/quotas.ts';

/** Who everybody is where nobody has to say. */
const ANONYMOUS = 'ANONYMOUS';

export interface ClientListenersDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: BrokerNetwork;
  readonly turn: Turn;
  readonly image: MetadataImage;
  readonly config: BrokerConfig;
  readonly apis: ReadonlyMap<number, Api>;
  readonly observer: RequestObserver;
  readonly budget: MemoryBudget;
  readonly gate: ConnectionGate;
  /** Runs before a request is looked at: what was known may be too old to answer from. */
  readonly look: () => void;
}

/** @throws Error where an address cannot be had; those that are open by then end with the lifetime. */
export async function listenForClients(
  deps: ClientListenersDeps,
  options: BrokerOptions,
  into: { readonly lifetime: Lifetime; readonly listeners: ClientListener[] },
): Promise<void> {
  const { apis, budget, clock, config, gate, image, logger, look, network, observer, turn } = deps;
  const quotas = into.lifetime.own(
    new Quotas({
      clock,
      isUsed: () => image.quotas.length > 0,
      limit: (key, clientId) => limitFor(image.quotas, { user: ANONYMOUS, clientId }, key),
    }),
  );
  const dispatch = new Dispatch({ quotas, clock, turn, logger, apis, observer, look });
  for (const { name, port, tls } of options.listeners) {
    const listener = await network.listen(
      {
        clock,
        turn,
        budget,
        gate,
        frameBytesMax: config.number('socket.request.max.bytes'),
        kindOf: (frame) => dispatch.kindOf(frame),
        onRequest: (connection, frame, owned, done) =>
          dispatch.onRequest(connection, frame, owned, done),
      },
      {
        name,
        host: options.bindHost,
        port,
        tlsFolder: tls === true ? options.tlsFolder : null,
        idleMs: config.number('connections.max.idle.ms'),
      },
    );
    into.listeners.push(into.lifetime.own(listener));
  }
}
