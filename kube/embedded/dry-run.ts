/**
 * `dryRun=All`: a request is answered as if it had been done, and nothing is. It is done, to a copy of
 * everything, so that no verb has to know of it.
 */
import type { KubeObject } from '../objects.ts';
import { badRequest } from './api-error.ts';

/** What deletions and evictions may say in their bodies. */
interface Options {
  readonly dryRun?: unknown;
  readonly deleteOptions?: Options | null;
}

const listed = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];

/**
 * Whether a request is only tried.
 * @throws ApiError where it asks for a way of trying that there is not
 */
export function isDryRun(method: string, query: URLSearchParams, body: unknown): boolean {
  const options = body as Options | null;
  const asked = [
    ...query.getAll('dryRun'),
    ...(method === 'DELETE' ? listed(options?.dryRun) : []),
    ...listed(options?.deleteOptions?.dryRun),
  ];
  const strange = asked.find((one) => one !== 'All' && one !== '');
  if (strange !== undefined)
    throw badRequest(
      `dryRun: Unsupported value: ${JSON.stringify(strange)}: supported values: "All"`,
    );
  return asked.includes('All');
}

/** An object of a rehearsal as it is shown: with the version that is stored, if any is. */
export function rehearsed(object: KubeObject, stored: KubeObject | null): KubeObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  const { resourceVersion } = stored?.metadata ?? {};
  return {
    ...object,
    metadata: resourceVersion === undefined ? metadata : { ...metadata, resourceVersion },
  };
}
