/** What people read at an object with `kubectl describe`. Nothing is ever decided by an Event. */
import { expectNoBug } from '../stdx/bug.ts';
import type { Logger } from '../stdx/logger.ts';
import type { KubeObject, Resource } from './objects.ts';
import type { KubeApi } from './port.ts';

export const events: Resource = {
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

const MESSAGE_LENGTH_MAX = 1024;

export interface Telling {
  readonly type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** Who tells it. */
  readonly component: string;
}

/** The Event that tells it of an object. Pure. */
export function eventOf(about: KubeObject, telling: Telling, nowMs: number): KubeObject {
  const { namespace = '', name, uid } = about.metadata;
  const { component, message, reason, type } = telling;
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${nowMs.toString(16)}.${reason.toLowerCase()}`, namespace },
    involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid },
    reason,
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    type,
    source: { component },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  return event as KubeObject;
}

/** Writes an Event; one that cannot be written is missing, and nothing else. */
export async function tell(
  deps: { readonly api: KubeApi; readonly logger: Logger },
  about: KubeObject,
  of: { readonly telling: Telling; readonly nowMs: number },
): Promise<void> {
  try {
    await deps.api.create(events, eventOf(about, of.telling, of.nowMs));
  } catch (cause) {
    expectNoBug('writing an event', cause);
    deps.logger.debug('writing an event failed', { reason: of.telling.reason, cause });
  }
}
