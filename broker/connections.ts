/** Who may connect to a broker, by its settings and by the quotas of addresses. */
import type { Clock } from '../stdx/clock.ts';
import type { BrokerConfig } from './config/config.ts';
import { parseOverrides } from './config/connection-overrides.ts';
import type { MetadataImage } from './metadata/image.ts';
import { addressLimit } from './metadata/quotas-core.ts';
import { ConnectionGate } from './server/connection-gate.ts';
import type { ConnectionRules } from './server/connection-limits-core.ts';

/** Kafka's word for a number that nothing reaches. */
const NONE = 0x7fff_ffff;
const limitOf = (value: number) => (value >= NONE ? Infinity : value);

export function connectionRules(config: BrokerConfig, image: MetadataImage): ConnectionRules {
  return {
    max: config.number('max.connections'),
    maxPerIp: config.number('max.connections.per.ip'),
    maxOf: parseOverrides(config.text('max.connections.per.ip.overrides')) ?? new Map(),
    creationRate: limitOf(config.number('max.connection.creation.rate')),
    creationRateOf: (ip) => limitOf(addressLimit(image.quotas, ip)),
  };
}

/** One for all listeners of a broker; changes of settings and quotas hold for the next connection. */
export function connectionGate(
  clock: Clock,
  config: BrokerConfig,
  image: MetadataImage,
): ConnectionGate {
  return new ConnectionGate(clock, () => connectionRules(config, image));
}
