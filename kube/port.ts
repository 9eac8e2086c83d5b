/** The Kubernetes API as an argument: what brokers, operator and local mode need of it. */
import type { KubeObject, Resource } from './objects.ts';

/** The API answered, and it was a no. */
export class KubeError extends Error {
  /** HTTP status: 404 not found, 409 conflict or exists already, 410 too old, 422 invalid, … */
  readonly status: number;
  /** The Status object's reason: NotFound, AlreadyExists, Conflict, Invalid, … */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** The API did not answer: whether a write happened is unknown. */
export class KubeUnreachable extends Error {}

export function isKubeError(cause: unknown, ...statuses: number[]): cause is KubeError {
  return cause instanceof KubeError && statuses.includes(cause.status);
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** Why a watch ended: `expired` means that the list must be read again. */
export type WatchEnd = 'closed' | 'expired';

export interface WatchHandle extends Disposable {
  readonly ended: Promise<WatchEnd>;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface KubeList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** Every call throws KubeError or KubeUnreachable. */
export interface KubeApi {
  get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
  ): Promise<T | null>;
  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<KubeList<T>>;
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { readonly resourceVersion: string },
    onEvent: (event: WatchEvent<T>) => void,
  ): WatchHandle;
  create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  /** Compare-and-swap on `metadata.resourceVersion`: 409 where it is not the current one. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  /** JSON merge patch (RFC 7386). */
  patch<T extends KubeObject>(
    resource: Resource<T>,
    of: { namespace: string; name: string; subresource?: 'status' },
    patch: unknown,
  ): Promise<T>;
  /** Server-side apply. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { fieldManager: string; subresource?: 'status' },
  ): Promise<T>;
  delete(
    resource: Resource,
    namespace: string,
    name: string,
    options?: { uid?: string; gracePeriodSeconds?: number },
  ): Promise<void>;
}
