/** Label and field selectors of list and watch requests. Pure. */
import type { KubeObject } from '../objects.ts';
import { badRequest } from './api-error.ts';
import { valuesAt } from './field-path.ts';
import { own } from './tree.ts';

type Selects = (object: KubeObject) => boolean;

function labelRequirement(text: string): Selects {
  const set = /^([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const values = (set[3] as string).split(',').map((value) => value.trim());
    const isIn = set[2] === 'in';
    return ({ metadata }) => values.includes(own(metadata.labels, set[1] as string) ?? '') === isIn;
  }
  const pair = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (pair !== null) {
    const [, name, operator, value] = pair as unknown as [string, string, string, string];
    return ({ metadata }) => (own(metadata.labels, name) === value) === (operator !== '!=');
  }
  if (text.startsWith('!'))
    return ({ metadata }) => own(metadata.labels, text.slice(1)) === undefined;
  if (/^[\w./-]+$/.test(text)) return ({ metadata }) => own(metadata.labels, text) !== undefined;
  throw badRequest(`unable to parse the label selector "${text}"`);
}

function fieldRequirement(text: string): Selects {
  const pair = /^([^!=]+)(==|=|!=)(.*)$/.exec(text);
  if (pair === null) throw badRequest(`unable to parse the field selector "${text}"`);
  const [, path, operator, value] = pair as unknown as [string, string, string, string];
  return (object) =>
    (String(valuesAt(object, `.${path}`)[0] ?? '') === value) === (operator !== '!=');
}

/** Commas separate requirements except inside the parentheses of a set. */
function requirements(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= text.length; i++) {
    const at = text[i];
    if (at === '(') depth++;
    else if (at === ')') depth = Math.max(0, depth - 1);
    if (at !== undefined && (at !== ',' || depth > 0)) continue;
    const part = text.slice(from, i).trim();
    if (part !== '') out.push(part);
    from = i + 1;
  }
  return out;
}

export function selectorFor(query: URLSearchParams): Selects {
  const labels = requirements(query.get('labelSelector') ?? '');
  const fields = (query.get('fieldSelector') ?? '').split(',').filter((part) => part.trim() !== '');
  const all = [
    ...labels.map((part) => labelRequirement(part)),
    ...fields.map((part) => fieldRequirement(part.trim())),
  ];
  return (object) => all.every((selects) => selects(object));
}
