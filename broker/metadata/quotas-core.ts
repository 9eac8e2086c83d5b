/**
 * Client quotas: which limit holds for whom. Pure. Sources: KIP-13, KIP-124, KIP-257, KIP-546.
 * A quota belongs to a user, a client id, both, or an address; "<default>" stands for all others.
 */
import type { ClientQuota } from '../../kube/kafka-objects.ts';

export const DEFAULT_ENTITY = '<default>';

/** Kafka's names of entity types and the fields that carry them. */
export const entityFields = { user: 'user', 'client-id': 'clientId', ip: 'ip' } as const;
export type EntityType = keyof typeof entityFields;

const CLIENT_KEYS = [
  'producer_byte_rate',
  'consumer_byte_rate',
  'request_percentage',
  'controller_mutation_rate',
];
const ADDRESS_KEYS = ['connection_creation_rate'];

export interface Entity {
  readonly user?: string;
  readonly clientId?: string;
  readonly ip?: string;
}

export function sameEntity(a: Entity, b: Entity): boolean {
  return a.user === b.user && a.clientId === b.clientId && a.ip === b.ip;
}

/** What is wrong with a quota, as a sentence; null if nothing is. */
export function quotaFault(entity: Entity, key: string, value: number | null): string | null {
  const known = entity.ip === undefined ? CLIENT_KEYS : ADDRESS_KEYS;
  if (entity.ip !== undefined && (entity.user !== undefined || entity.clientId !== undefined))
    return 'a quota of an address must name nothing else';
  if (entity.user === undefined && entity.clientId === undefined && entity.ip === undefined)
    return 'a quota must name a user, a client id or an address';
  if (!known.includes(key)) return `${key} must be one of ${known.join(', ')}`;
  return value === null || value > 0 ? null : `${key} must be more than 0`;
}

/** The most special limit for a client; Infinity where there is none. */
export function limitFor(
  quotas: readonly ClientQuota[],
  who: { readonly user: string; readonly clientId: string },
  key: string,
): number {
  const { user, clientId } = who;
  const order: Entity[] = [
    { user, clientId },
    { user, clientId: DEFAULT_ENTITY },
    { user },
    { user: DEFAULT_ENTITY, clientId },
    { user: DEFAULT_ENTITY, clientId: DEFAULT_ENTITY },
    { user: DEFAULT_ENTITY },
    { clientId },
    { clientId: DEFAULT_ENTITY },
  ];
  const index = indexOf(quotas);
  for (const entity of order) {
    const value = index.get(keyOf(entity))?.[key];
    if (value !== undefined) return Number(value);
  }
  return Infinity;
}

/** The limit of connections a second from an address; Infinity where there is none. */
export function addressLimit(quotas: readonly ClientQuota[], ip: string): number {
  const index = indexOf(quotas);
  for (const entity of [{ ip }, { ip: DEFAULT_ENTITY }]) {
    const value = index.get(keyOf(entity))?.connection_creation_rate;
    if (value !== undefined) return Number(value);
  }
  return Infinity;
}

const keyOf = ({ user, clientId, ip }: Entity) => JSON.stringify([user, clientId, ip]);

/** With many quotas nobody looks through all of them for each request. */
const indexes = new WeakMap<readonly ClientQuota[], Map<string, ClientQuota['config']>>();

function indexOf(quotas: readonly ClientQuota[]): Map<string, ClientQuota['config']> {
  let index = indexes.get(quotas);
  if (index === undefined) {
    // The first of two that are of the same entity holds.
    index = new Map([...quotas].reverse().map((quota) => [keyOf(quota), quota.config]));
    indexes.set(quotas, index);
  }
  return index;
}

/** The list with one entity's limits changed; null removes one, and an entity without any goes. */
export function withQuota(
  quotas: readonly ClientQuota[],
  entity: Entity,
  changes: ReadonlyMap<string, number | null>,
): ClientQuota[] {
  const before = quotas.find((quota) => sameEntity(quota, entity));
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(before?.config ?? {})) config[key] = String(value);
  for (const [key, value] of changes) {
    if (value === null) delete config[key];
    else config[key] = String(value);
  }
  const others = quotas.filter((quota) => quota !== before);
  return Object.keys(config).length === 0 ? others : [...others, { ...entity, config }];
}
