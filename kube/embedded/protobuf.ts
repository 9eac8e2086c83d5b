/**
 * Objects as Kubernetes' typed clients send them: kubectl writes some built-in kinds so (`create namespace`,
 * `create secret`, `drain`), and does not try another form where this one is refused. Only read: answers are
 * JSON, which those clients take.
 */
import { ApiError, badRequest } from './api-error.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

const MAGIC = Buffer.from('k8s\0');
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5] as const;
const VARINT_BYTES_MAX = 10;

type Value = { readonly of: 'text' | 'bytes' | 'flag' | 'number' } | { readonly of: Message };
interface Field {
  readonly name: string;
  readonly value: Value;
  readonly form?: 'list' | 'map';
  /** Whether nothing, as in an empty text, is told from what is not there. */
  readonly isPointer?: true;
}
/** Fields by their number; those that are not named are of no use here. */
interface Message {
  readonly [number: number]: Field;
}

const text = (name: string): Field => ({ name, value: { of: 'text' } });
const texts = (name: string): Field => ({ name, value: { of: 'text' }, form: 'list' });
const map = (name: string, of: 'text' | 'bytes' = 'text'): Field => ({
  name,
  value: { of },
  form: 'map',
});
const flag = (name: string): Field => ({ name, value: { of: 'flag' }, isPointer: true });
const number = (name: string): Field => ({ name, value: { of: 'number' }, isPointer: true });
const one = (name: string, of: Message): Field => ({ name, value: { of } });
const list = (name: string, of: Message): Field => ({ name, value: { of }, form: 'list' });

const METADATA = one('metadata', {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  5: text('uid'),
  6: text('resourceVersion'),
  11: map('labels'),
  12: map('annotations'),
  13: list('ownerReferences', {
    1: text('kind'),
    3: text('name'),
    4: text('uid'),
    5: text('apiVersion'),
    6: flag('controller'),
    7: flag('blockOwnerDeletion'),
  }),
  14: texts('finalizers'),
});
const DELETE_OPTIONS: Message = {
  1: number('gracePeriodSeconds'),
  2: one('preconditions', { 1: text('uid'), 2: text('resourceVersion') }),
  3: flag('orphanDependents'),
  4: text('propagationPolicy'),
  5: texts('dryRun'),
};
const KINDS: Readonly<Record<string, Message>> = {
  Namespace: { 1: METADATA, 2: one('spec', { 1: texts('finalizers') }) },
  ConfigMap: { 1: METADATA, 2: map('data'), 3: map('binaryData', 'bytes'), 4: flag('immutable') },
  Secret: { 1: METADATA, 2: map('data', 'bytes'), 3: text('type'), 5: flag('immutable') },
  ServiceAccount: {
    1: METADATA,
    2: list('secrets', { 3: text('name') }),
    3: list('imagePullSecrets', { 1: text('name') }),
    4: flag('automountServiceAccountToken'),
  },
  Eviction: { 1: METADATA, 2: one('deleteOptions', DELETE_OPTIONS) },
  DeleteOptions: DELETE_OPTIONS,
};
const ENVELOPE: Message = {
  1: one('type', { 1: text('apiVersion'), 2: text('kind') }),
  2: { name: 'raw', value: { of: 'bytes' } },
};

class Reader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get hasMore(): boolean {
    return this.at < this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken();
  }

  take(byteCount: number): Buffer {
    const end = this.at + byteCount;
    if (end > this.bytes.length) throw broken();
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  /** The next field: its number, and what it holds. */
  field(): { number: number; held: Buffer | bigint } {
    const tag = Number(this.varint());
    const wire = tag % 8;
    const number = Math.floor(tag / 8);
    if (wire === VARINT) return { number, held: this.varint() };
    if (wire === FIXED64) return { number, held: this.take(8) };
    if (wire === FIXED32) return { number, held: this.take(4) };
    if (wire === BYTES) return { number, held: this.take(Number(this.varint())) };
    throw broken();
  }
}

const broken = () => badRequest('the body must be an object in protobuf');

function read({ of }: Value, held: Buffer | bigint): unknown {
  if (of === 'flag' || of === 'number') {
    if (typeof held !== 'bigint') throw broken();
    return of === 'flag' ? held !== 0n : Number(BigInt.asIntN(64, held));
  }
  if (typeof held === 'bigint') throw broken();
  if (of === 'bytes') return held.toString('base64');
  return of === 'text' ? held.toString('utf8') : message(of, held);
}

function message(of: Message, bytes: Buffer): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const lists: Record<string, unknown[]> = {};
  const maps: Record<string, [string, unknown][]> = {};
  const reader = new Reader(bytes);
  while (reader.hasMore) {
    const { number: at, held } = reader.field();
    const field = of[at];
    if (field === undefined) continue;
    const { name, value, form } = field;
    if (form === 'map') {
      const entry = { 1: text('key'), 2: { name: 'value', value, isPointer: true } } as const;
      const { key = '', value: content = '' } = message(entry, asBytes(held));
      (maps[name] ??= []).push([String(key), content]);
    } else if (form === 'list') (lists[name] ??= []).push(read(value, held));
    else {
      const single = read(value, held);
      if (field.isPointer || single !== '') out[name] = single;
    }
  }
  // A key may be called anything: what it must not be called is said for all forms in one place.
  const entries = Object.entries(maps).map(([name, pairs]) => [name, Object.fromEntries(pairs)]);
  return { ...out, ...lists, ...Object.fromEntries(entries) };
}

function asBytes(held: Buffer | bigint): Buffer {
  if (typeof held === 'bigint') throw broken();
  return held;
}

/** @throws ApiError 415 for kinds that nobody sends so here. */
export function parseProtobuf(body: Buffer): unknown {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw broken();
  const { type = {}, raw = '' } = message(ENVELOPE, body.subarray(MAGIC.length)) as {
    type?: { apiVersion?: string; kind?: string };
    raw?: string;
  };
  const kind = type.kind ?? '';
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (known === undefined)
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `a ${kind} is read as JSON or YAML only: apply a manifest (kubectl create ... --dry-run=client -o yaml | kubectl apply -f -)`,
    );
  return { ...type, ...message(known, Buffer.from(raw, 'base64')) };
}
