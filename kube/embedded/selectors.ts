/** Label and field selectors of list and watch requests. Pure. */
import type { KubeObject } from '../objects.ts';
import { badRequest } from './api-error.ts';
import { valuesAt } from './field-path.ts';

type Selects = (object: KubeObject) => boolean;

function labelRequirement(text: string): Selects {
  const set = /^([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const values = (set[3] as string).split(',').map((value) => value.trim());
    const isIn = set[2] === 'in';
    return ({ metadata }) => values.includes(metadata.labels?.[set[1] as string] ?? '') === isIn;
  }
  const pair = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (pair !== null) {
    const [, name, operator, value] = pair as unknown as [string, string, string, string];
    return ({ metadata }) => (metadata.labels?.[name] === value) === (operator !== '!=');
  }
  if (text.startsWith('!')) return ({ metadata }) => metadata.labels?.[text.slice(1)] === undefined;
  if (/^[\w./-]+$/.test(text)) return ({ metadata }) => metadata.labels?.[text] !== undefined;
  throw badRequest(`unable to parse the label selector "${text}"`);
}

function fieldRequirement(text: string): Selects {
  const pair = /^([^!=]+)(==|=|!=)(.*)$/.exec(text);
  if (pair === null) throw badRequest(`unable to parse the field selector "${text}"`);
  const [, path, operator, value] = pair as unknown as [string, string, string, string];
  return (object) =>
    (String(valuesAt(object, `.${path}`)[0] ?? '') === value) === (operator !== '!=');
}

export function selectorFor(query: URLSearchParams): Selects {
  // Commas separate requirements except inside the parentheses of a set.
  const labels = (query.get('labelSelector') ?? '')
    .split(/,(?![^(]*\))/)
    .filter((part) => part.trim() !== '');
  const fields = (query.get('fieldSelector') ?? '').split(',').filter((part) => part.trim() !== '');
  const all = [
    ...labels.map((part) => labelRequirement(part.trim())),
    ...fields.map((part) => fieldRequirement(part.trim())),
  ];
  return (object) => all.every((selects) => selects(object));
}
