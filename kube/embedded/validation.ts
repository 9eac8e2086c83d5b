/**
 * What a CRD's schema says about an object: unknown fields, defaults, types, CEL rules. Worded as
 * the API server words it, so that a refusal names the field.
 */
import { Environment } from '@marcbachmann/cel-js';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { RE2JS } from 're2js';
import type { KubeObject } from '../objects.ts';
import { parseQuantity } from '../quantity.ts';
import { ApiError } from './api-error.ts';
import type { JsonSchema, Kind } from './kinds.ts';
import { isTree, own, type Tree } from './tree.ts';

interface Cause {
  reason: string;
  message: string;
  field: string;
}

const regExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern);
    // Ajv keeps what it made of a pattern under this name.
    const toString = () => pattern;
    return { test: (text: string) => compiled.matcher(text).find(), toString };
  },
  { code: 're2' },
);
const ajv = new Ajv({
  allErrors: true,
  strict: false,
  useDefaults: false,
  validateFormats: false,
  verbose: true,
  // As in Kubernetes: patterns of definitions that anybody may make take time in proportion to the text.
  code: { regExp },
});
const validators = new WeakMap<JsonSchema, ValidateFunction>();
const rules = new Map<string, (context: Record<string, unknown>) => unknown>();

class Quantity {
  readonly value: number;
  constructor(text: string) {
    this.value = parseQuantity(text);
  }
}

/** The language of rules, with those of Kubernetes' own functions that our rules use. */
const cel = new Environment({ unlistedVariablesAreDyn: true })
  .registerType('Quantity', { ctor: Quantity, fields: {} })
  .registerFunction('quantity(dyn): Quantity', (text: unknown) => new Quantity(String(text)))
  .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
    BigInt(Math.sign(a.value - b.value)),
  );

/** OpenAPI's extras turned into what a JSON Schema validator understands. */
function plainSchema(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, nullable, ...rest } = schema;
  const out: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).filter(
      ([key]) => !key.startsWith('x-') && key !== 'default' && key !== 'description',
    ),
  );
  if (schema['x-kubernetes-int-or-string']) {
    delete out.type;
    delete out.anyOf;
    out.type = ['integer', 'string'];
  }
  if (nullable && typeof out.type === 'string') out.type = [out.type, 'null'];
  if (properties)
    out.properties = Object.fromEntries(
      Object.entries(properties).map(([name, of]) => [name, plainSchema(of as JsonSchema)]),
    );
  if (items) out.items = plainSchema(items);
  if (additionalProperties && typeof additionalProperties === 'object')
    out.additionalProperties = plainSchema(additionalProperties);
  return out;
}

function validatorFor(schema: JsonSchema): ValidateFunction {
  let validate = validators.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(plainSchema(schema));
    validators.set(schema, validate);
  }
  return validate;
}

/** Removes fields that the schema does not know; returns their paths. */
export function prune(
  value: unknown,
  schema: JsonSchema,
  path = '',
): { value: unknown; unknown: string[] } {
  if (schema['x-kubernetes-preserve-unknown-fields'] || value === null || typeof value !== 'object')
    return { value, unknown: [] };
  const unknown: string[] = [];
  const inner = (child: unknown, of: JsonSchema, at: string) => {
    const result = prune(child, of, at);
    unknown.push(...result.unknown);
    return result.value;
  };
  if (Array.isArray(value)) {
    const items = schema.items as JsonSchema | undefined;
    return {
      value:
        items === undefined ? value : value.map((item, i) => inner(item, items, `${path}[${i}]`)),
      unknown,
    };
  }
  const out: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    const known = own(schema.properties, name) as JsonSchema | undefined;
    const other = schema.additionalProperties;
    const isMeta = path === '' && (name === 'apiVersion' || name === 'kind' || name === 'metadata');
    if (isMeta) out[name] = child;
    else if (known !== undefined) out[name] = inner(child, known, at);
    else if (other) out[name] = typeof other === 'object' ? inner(child, other, at) : child;
    else if (schema.properties === undefined && schema.type !== 'object') out[name] = child;
    else unknown.push(at);
  }
  return { value: out, unknown };
}

/** Fills in the defaults of fields that are absent. */
export function withDefaults(value: unknown, schema: JsonSchema): unknown {
  if (Array.isArray(value))
    return schema.items ? value.map((item) => withDefaults(item, schema.items)) : value;
  if (value === null || typeof value !== 'object') return value;
  const out: Record<string, unknown> = { ...value };
  for (const [name, of] of Object.entries(
    (schema.properties ?? {}) as Record<string, JsonSchema>,
  )) {
    let value: unknown = own(out, name);
    if (value === undefined) value = structuredClone(of.default);
    if (value !== undefined) out[name] = withDefaults(value, of);
  }
  return out;
}

function fieldOf(error: ErrorObject): string {
  const parts = error.instancePath.split('/').slice(1);
  const missing =
    error.keyword === 'required'
      ? (error.params as { missingProperty: string }).missingProperty
      : null;
  const path = parts
    .map((part) =>
      /^\d+$/.test(part) ? `[${part}]` : `.${part.replaceAll('~1', '/').replaceAll('~0', '~')}`,
    )
    .join('');
  return `${path}${missing === null ? '' : `.${missing}`}`.replace(/^\./, '') || '<root>';
}

const SHOWN_CHARACTERS_MAX = 200;

function causeOf(error: ErrorObject): Cause {
  const field = fieldOf(error);
  const shown = (JSON.stringify(error.data) ?? 'undefined').slice(0, SHOWN_CHARACTERS_MAX);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required':
      return { reason: 'FieldValueRequired', field, message: 'Required value' };
    case 'enum':
      return {
        reason: 'FieldValueNotSupported',
        field,
        message: `Unsupported value: ${shown}: supported values: ${(params.allowedValues as unknown[]).map((v) => JSON.stringify(v)).join(', ')}`,
      };
    case 'type':
      return {
        reason: 'FieldValueTypeInvalid',
        field,
        message: `Invalid value: ${shown}: ${field} in body must be of type ${String(params.type)}`,
      };
    case 'minimum':
      return {
        reason: 'FieldValueInvalid',
        field,
        message: `Invalid value: ${shown}: ${field} in body should be greater than or equal to ${params.limit}`,
      };
    case 'maximum':
      return {
        reason: 'FieldValueInvalid',
        field,
        message: `Invalid value: ${shown}: ${field} in body should be less than or equal to ${params.limit}`,
      };
    case 'pattern':
      return {
        reason: 'FieldValueInvalid',
        field,
        message: `Invalid value: ${shown}: ${field} in body should match '${params.pattern}'`,
      };
    default:
      return {
        reason: 'FieldValueInvalid',
        field,
        message: `Invalid value: ${shown}: ${field} in body ${error.message}`,
      };
  }
}

function checkerOf(rule: string): (context: Record<string, unknown>) => unknown {
  let check = rules.get(rule);
  if (check === undefined) {
    check = cel.parse(rule) as (context: Record<string, unknown>) => unknown;
    rules.set(rule, check);
  }
  return check;
}

/** CEL rules of a schema and of everything below it. Rules that name `oldSelf` hold for changes only. */
function celCauses(value: unknown, old: unknown, schema: JsonSchema, path: string): Cause[] {
  const causes: Cause[] = [];
  for (const { rule, message } of (schema['x-kubernetes-validations'] ?? []) as {
    rule: string;
    message?: string;
  }[]) {
    if (/\boldSelf\b/.test(rule) && old === undefined) continue;
    const check = checkerOf(rule);
    let holds: unknown;
    try {
      holds = check({ self: value, oldSelf: old });
    } catch (cause) {
      causes.push({
        reason: 'FieldValueInvalid',
        field: path,
        message: `Invalid value: rule evaluation error: ${(cause as Error).message}`,
      });
      continue;
    }
    if (holds !== true) {
      const shown = value !== null && typeof value === 'object' ? 'object' : JSON.stringify(value);
      causes.push({
        reason: 'FieldValueInvalid',
        field: path,
        message: `Invalid value: ${JSON.stringify(shown).replaceAll('\\"', '')}: ${message ?? `failed rule: ${rule}`}`,
      });
    }
  }
  if (value === null || typeof value !== 'object') return causes;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? causes
      : [
          ...causes,
          ...value.flatMap((item, i) => celCauses(item, undefined, items, `${path}[${i}]`)),
        ];
  }
  for (const [name, of] of Object.entries(
    (schema.properties ?? {}) as Record<string, JsonSchema>,
  )) {
    const child = own(value, name) as unknown;
    if (child === undefined) continue;
    const oldChild = own(old, name) as unknown;
    causes.push(...celCauses(child, oldChild, of, path === '' ? name : `${path}.${name}`));
  }
  return causes;
}

/** @throws ApiError 422 with a sentence for each fault. */
export function validate(kind: Kind, object: KubeObject, old: KubeObject | null): void {
  const causes = faultsIn(object, kind.shape);
  if (causes.length === 0 && kind.schema !== null) causes.push(...faultsIn(object, kind.schema));
  // Rules may assume that types are right.
  if (causes.length === 0 && kind.schema !== null)
    causes.push(...celCauses(object, old ?? undefined, kind.schema, ''));
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes);
}

/**
 * What is wrong with the schemas of a CustomResourceDefinition: objects could not be held against them.
 * @throws ApiError 422
 */
export function validateDefinition(kind: Kind, crd: KubeObject): void {
  for (const version of (crd as Tree).spec.versions) {
    const schema = version.schema?.openAPIV3Schema;
    if (schema === undefined) continue;
    try {
      validatorFor(schema);
      for (const rule of rulesOf(schema)) checkerOf(rule);
    } catch (cause) {
      const field = 'spec.versions[*].schema.openAPIV3Schema';
      const message = `Invalid value: ${(cause as Error).message}`;
      throw invalid(kind, crd.metadata.name, [{ reason: 'FieldValueInvalid', field, message }]);
    }
  }
}

function rulesOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(rulesOf);
  if (!isTree(schema)) return [];
  const said = schema['x-kubernetes-validations'];
  const here = Array.isArray(said) ? said.map((one) => String((one as Tree | null)?.rule)) : [];
  return [...here, ...Object.values(schema).flatMap(rulesOf)];
}

/** An answer names so many faults. */
const FAULTS_MAX = 50;

function faultsIn(object: unknown, schema: JsonSchema): Cause[] {
  const check = validatorFor(schema);
  const causes: Cause[] = [];
  if (!check(object)) {
    const wrongTypes = new Set(
      (check.errors ?? []).filter((e) => e.keyword === 'type').map(fieldOf),
    );
    for (const error of check.errors ?? []) {
      if (causes.length === FAULTS_MAX) break;
      if (error.keyword !== 'type' && wrongTypes.has(fieldOf(error))) continue;
      causes.push(causeOf(error));
    }
  }
  return causes;
}

export function invalid(kind: Kind, name: string, causes: readonly Cause[]): ApiError {
  const words = causes.map(({ field, message }) => `${field}: ${message}`);
  const listed = words.length === 1 ? words[0] : `[${words.join(', ')}]`;
  const full = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const error = new ApiError(422, 'Invalid', `${full} "${name}" is invalid: ${listed}`, causes);
  error.about = { name, group: kind.group, kind: kind.kind };
  return error;
}
