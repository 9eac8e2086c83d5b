/**
 * `dryRun=All`: a request is answered as if it had been done, and nothing is. It is done, to a copy of
 * everything, so that no verb has to know of it.
 */
import type { KubeObject } from '../objects.ts';
import { badRequest } from './api-error.ts';
import { parseBody } from './body.ts';

/** What deletions and evictions may say in their bodies. */
interface Options {
  readonly dryRun?: readonly unknown[];
  readonly deleteOptions?: Options;
}

/**
 * Whether a request is only tried.
 * @throws ApiError where it asks for a way of trying that there is not
 */
export function isDryRun(method: string, query: URLSearchParams, body: string): boolean {
  // Few bodies have such a word; the others are not parsed twice.
  const options = body.includes('dryRun') ? (parseBody(body) as Options | null) : null;
  const asked = [
    ...query.getAll('dryRun'),
    ...(method === 'DELETE' ? (options?.dryRun ?? []) : []),
    ...(options?.deleteOptions?.dryRun ?? []),
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
