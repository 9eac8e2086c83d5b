/**
 * Where new replicas go: few on every broker, leaders evenly, racks apart. A broker that is away is
 * still one of the cluster's: it is given a replica where those that are there do not suffice. Pure.
 */

export interface PlacementBroker {
  readonly id: number;
  readonly rack: string | null;
  readonly live: boolean;
  readonly draining: boolean;
}

/** It can hold records now, and may be in the first ISR of a partition. */
export function isReady({ live, draining }: Pick<PlacementBroker, 'live' | 'draining'>): boolean {
  return live && !draining;
}

/** Registered brokers that stay, whether they are there now or not. `wanted`: ids from 0 on. */
export function registered<B extends { readonly id: number }>(
  brokers: Iterable<B>,
  of: { readonly wanted: number | null; readonly drained: ReadonlySet<number> },
): B[] {
  return [...brokers].filter(
    ({ id }) => !of.drained.has(id) && (of.wanted === null || id < of.wanted),
  );
}

/**
 * How many brokers a cluster has to have, by its spec and not by who is there; null where nobody says.
 * The number of replicas of what brokers make for themselves is bounded by it.
 */
export function brokersInSpec(of: {
  readonly wanted: number | null;
  readonly drained: ReadonlySet<number>;
}): number | null {
  if (of.wanted === null) return null;
  const { wanted } = of;
  return Math.max(wanted - [...of.drained].filter((id) => id < wanted).length, 1);
}

export interface Load {
  readonly replicas: Map<number, number>;
  readonly leaders: Map<number, number>;
}

export function emptyLoad(): Load {
  return { replicas: new Map(), leaders: new Map() };
}

export function addLoad(load: Load, replicas: readonly number[]): void {
  const [leader] = replicas;
  for (const id of replicas) load.replicas.set(id, (load.replicas.get(id) ?? 0) + 1);
  if (leader !== undefined) load.leaders.set(leader, (load.leaders.get(leader) ?? 0) + 1);
}

/**
 * Chooses brokers for one partition, the preferred leader first, and notes them in `load`. Who holds
 * it already stays; who is away comes last. Null: there are fewer brokers than replicas.
 */
export function placePartition(
  brokers: readonly PlacementBroker[],
  replicaCount: number,
  load: Load,
  present: readonly number[] = [],
): number[] | null {
  const of = (counts: Map<number, number>, id: number) => counts.get(id) ?? 0;
  const chosen: PlacementBroker[] = present.map(
    (id) => brokers.find((broker) => broker.id === id) ?? absent(id),
  );
  while (chosen.length < replicaCount) {
    const counts = chosen.length === 0 ? load.leaders : load.replicas;
    const usedRacks = new Set(chosen.map(({ rack }) => rack));
    const left = brokers.filter(({ id }) => !chosen.some((one) => one.id === id));
    if (left.length === 0) return null;
    const ready = left.filter(isReady);
    const pool = ready.length > 0 ? ready : left;
    const rackFree = pool.filter(({ rack }) => rack === null || !usedRacks.has(rack));
    const candidates = rackFree.length > 0 ? rackFree : pool;
    const best = candidates.reduce((a, b) => {
      const order =
        of(counts, a.id) - of(counts, b.id) ||
        of(load.replicas, a.id) - of(load.replicas, b.id) ||
        a.id - b.id;
      return order <= 0 ? a : b;
    });
    chosen.push(best);
  }
  const replicas = chosen.map(({ id }) => id);
  if (present.length === 0) addLoad(load, replicas);
  else
    for (const id of replicas.slice(present.length))
      load.replicas.set(id, of(load.replicas, id) + 1);
  return replicas;
}

function absent(id: number): PlacementBroker {
  return { id, rack: null, live: false, draining: false };
}
