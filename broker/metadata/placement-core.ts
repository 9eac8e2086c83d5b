/** Where new replicas go: few on every broker, leaders evenly, racks apart. Pure. */

export interface PlacementBroker {
  readonly id: number;
  readonly rack: string | null;
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
 * it already stays. Null: there are fewer brokers than replicas.
 */
export function placePartition(
  brokers: readonly PlacementBroker[],
  replicaCount: number,
  load: Load,
  present: readonly number[] = [],
): number[] | null {
  const of = (counts: Map<number, number>, id: number) => counts.get(id) ?? 0;
  const chosen: PlacementBroker[] = present.map(
    (id) => brokers.find((broker) => broker.id === id) ?? { id, rack: null },
  );
  while (chosen.length < replicaCount) {
    const counts = chosen.length === 0 ? load.leaders : load.replicas;
    const usedRacks = new Set(chosen.map(({ rack }) => rack));
    const left = brokers.filter(({ id }) => !chosen.some((one) => one.id === id));
    if (left.length === 0) return null;
    const rackFree = left.filter(({ rack }) => rack === null || !usedRacks.has(rack));
    const candidates = rackFree.length > 0 ? rackFree : left;
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
