/** Volumes grow while brokers run; they never shrink. Pure. */
import type { PersistentVolumeClaim } from '../../kube/objects.ts';
import { parseQuantity } from '../../kube/quantity.ts';
import type { Observed } from './observed.ts';

export interface Growth {
  readonly claim: PersistentVolumeClaim;
  readonly size: string;
}

const requested = ({ spec }: PersistentVolumeClaim) => spec.resources?.requests?.storage;

/** Claims that ask for less than the cluster does. */
export function planGrowth({ cluster, claims }: Observed): Growth[] {
  const size = cluster.spec.storage?.size;
  if (cluster.spec.storage?.type !== 'persistent-claim' || size === undefined) return [];
  return claims.flatMap((claim) => {
    const now = requested(claim);
    const isSmaller = now !== undefined && parseQuantity(now) < parseQuantity(size);
    return isSmaller && claim.metadata.deletionTimestamp === undefined ? [{ claim, size }] : [];
  });
}

export interface StorageState {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

/** How the volumes stand; `refusals` are the API's words, by the claim's name. */
export function storageState(
  { cluster, claims }: Observed,
  refusals: ReadonlyMap<string, string>,
): StorageState {
  const { storage } = cluster.spec;
  if (storage?.type !== 'persistent-claim')
    return { ready: true, reason: 'Ephemeral', message: 'records live as long as their pods' };
  const [refused] = refusals;
  if (refused !== undefined)
    return {
      ready: false,
      reason: 'GrowthRefused',
      message: `volume ${refused[0]} cannot grow to ${storage.size}: ${refused[1]}`,
    };
  const unbound = claims.filter(({ status }) => status?.phase === 'Pending');
  if (unbound.length > 0) {
    const names = unbound.map(({ metadata }) => metadata.name).join(', ');
    return { ready: false, reason: 'Unbound', message: `${names} has no volume yet` };
  }
  const growing = claims.filter(({ spec, status }) => {
    const capacity = status?.capacity?.storage;
    const wanted = spec.resources?.requests?.storage;
    return (
      capacity !== undefined &&
      wanted !== undefined &&
      parseQuantity(capacity) < parseQuantity(wanted)
    );
  });
  if (growing.length > 0)
    return {
      ready: false,
      reason: 'Growing',
      message: `${growing.length} of ${claims.length} volumes are growing to ${storage.size}`,
    };
  return { ready: true, reason: 'VolumesReady', message: `every volume has ${storage.size}` };
}
