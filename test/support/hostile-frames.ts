/**
 * Requests that no client would send: made from the schemas like any other, and wrong in one place, which
 * may be each string, list, blob and set of tagged fields that the request has.
 */
import { Writer } from '../../proto/kafka/cursor.ts';
import {
  bool,
  bytes,
  type Field,
  type Fields,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Message,
  records,
  string,
  type Type,
  uint16,
  uint32,
  uuid,
} from '../../proto/kafka/schema.ts';

const TEXT_BYTES_MAX = 0x7fff;
const fill = (pattern: readonly number[], byteCount = TEXT_BYTES_MAX) =>
  Buffer.alloc(byteCount - (byteCount % pattern.length), Buffer.from(pattern));

/** What a string may be that is whole. */
export const hostileTexts: Readonly<Record<string, Buffer>> = {
  'no UTF-8': fill([0xff]),
  'no UTF-8, short': fill([0xff], 3),
  'no UTF-8, as long as fits': fill([0xff], 10_922),
  'a lone surrogate': Buffer.from([0xed, 0xa0, 0x80]),
  'lone surrogates': fill([0xed, 0xa0, 0x80]),
  'a character cut off': Buffer.concat([fill([0x61], 100), Buffer.from([0xf0, 0x9f, 0x98])]),
  'four bytes each': fill([0xf0, 0x9f, 0x98, 0x80]),
  NUL: Buffer.from([0]),
  'only NUL': fill([0]),
  empty: Buffer.alloc(0),
  'as long as can be': fill([0x61]),
  'a path': Buffer.from('../../../etc/passwd'),
  'a prototype': Buffer.from('__proto__'),
};

type SiteKind = 'text' | 'blob' | 'list' | 'tags';
/** Lengths that are no lengths, or of what is not there. */
const LENGTHS = [-1, -2, 0x7fff_ffff, 1_000_001];
const EMPTY_TAGS = 20_000;

export interface Hostility {
  readonly site: number;
  readonly text?: Buffer;
  readonly length?: number;
  /** Unknown tagged fields: many of nothing, or one of so many bytes. */
  readonly tags?: 'many' | 'endless' | 'large';
  /** A list of so many elements, whose strings differ. */
  readonly count?: number;
}

/** Names of things that exist, for the fields that are as they should be. */
const PLAIN_TEXT = Buffer.from('ready');
const UUID = Buffer.alloc(16, 7);

class HostileFrame {
  private w = new Writer(256);
  readonly sites: SiteKind[] = [];
  private readonly hostility: Hostility | null;
  /** Of the element of a long list that is being written. */
  private nth = -1;

  constructor(hostility: Hostility | null) {
    this.hostility = hostility;
  }

  finish(): Buffer {
    return this.w.toBuffer();
  }

  /** The hostility that is meant for this place. */
  private at(kind: SiteKind): Hostility | null {
    const site = this.sites.push(kind) - 1;
    return this.hostility?.site === site ? this.hostility : null;
  }

  private length(length: number, flexible: boolean, wide: boolean): void {
    if (flexible) this.w.uvarint((length + 1) >>> 0);
    else if (wide) this.w.int32(length | 0);
    else this.w.int16((length << 16) >> 16);
  }

  private sized(kind: 'text' | 'blob', plain: Buffer, flexible: boolean): void {
    const hostility = this.at(kind);
    const content = hostility?.text ?? plain;
    this.length(hostility?.length ?? content.length, flexible, kind === 'blob');
    this.w.bytes(content);
  }

  struct(fields: Fields, version: number, flexible: boolean): void {
    const tagged: { tag: number; of: Field<unknown> }[] = [];
    for (const entry of Object.values(fields)) {
      const of = ('type' in entry ? entry : { type: entry, options: {} }) as Field<unknown>;
      const { since = 0, until = 0x7fff, tag, tagSince = 0, flexibleNever } = of.options;
      if (version < since || version > until) continue;
      if (tag !== undefined && version >= tagSince && flexible) tagged.push({ tag, of });
      else this.value(of, version, flexible && flexibleNever !== true);
    }
    if (flexible) this.tags(tagged, version);
  }

  private tags(tagged: { tag: number; of: Field<unknown> }[], version: number): void {
    const hostile = this.at('tags')?.tags;
    if (hostile === undefined) {
      this.w.uvarint(tagged.length);
    } else if (hostile === 'many') {
      this.w.uvarint(EMPTY_TAGS);
      for (let i = 0; i < EMPTY_TAGS; i++) {
        this.w.uvarint(100 + i);
        this.w.uvarint(0);
      }
    } else {
      const byteCount = hostile === 'endless' ? 0xffff_ffff : 1_000_000;
      this.w.uvarint(tagged.length + 1);
      this.w.uvarint(99);
      this.w.uvarint(byteCount);
      this.w.bytes(Buffer.alloc(Math.min(byteCount, 1_000_000)));
    }
    for (const { tag, of } of tagged) {
      const outer = this.w;
      this.w = new Writer(64);
      this.value(of, version, true);
      const content = this.w.toBuffer();
      this.w = outer;
      outer.uvarint(tag);
      outer.uvarint(content.length);
      outer.bytes(content);
    }
  }

  private value(of: Field<unknown>, version: number, flexible: boolean): void {
    const { type, options } = of;
    const { w } = this;
    if (type.element !== undefined) {
      const hostility = this.at('list');
      const count = hostility?.count ?? 1;
      this.length(hostility?.length ?? count, flexible, true);
      const element = { type: type.element, options: {} };
      for (let i = 0; i < count; i++) {
        if (count > 1) this.nth = i;
        this.value(element, version, flexible);
      }
      if (count > 1) this.nth = -1;
    } else if (type.fields !== undefined) {
      const { nullable, nullableUntil = 0x7fff } = options;
      const isMarked = nullable !== undefined && version >= nullable && version <= nullableUntil;
      // That it is there: in one byte, by either of the two forms.
      if (isMarked) w.int8(1);
      this.struct(type.fields, version, flexible);
    } else this.scalar(type, flexible);
  }

  private text(): Buffer {
    return this.nth < 0 ? PLAIN_TEXT : Buffer.from(`t${this.nth.toString(36)}`);
  }

  private scalar(type: Type<unknown>, flexible: boolean): void {
    const { w } = this;
    if (type === bool || type === int8) w.int8(0);
    else if (type === int16 || type === uint16)
      w.int16(-1); // acks of all replicas: it is answered
    else if (type === int32 || type === uint32) w.int32(Math.max(this.nth, 0));
    else if (type === int64 || type === float64) w.bytes(Buffer.alloc(8));
    else if (type === uuid) w.bytes(UUID);
    else if (type === (bytes as Type<unknown>) || type === (records as Type<unknown>))
      this.sized('blob', Buffer.alloc(0), flexible);
    else if (type === string) this.sized('text', this.text(), flexible);
    else throw new Error('a type of the protocol that is not known here');
  }
}

interface ApiSchema {
  readonly key: number;
  readonly request: Message<any>;
}

function frameOf({ key, request }: ApiSchema, version: number, hostility: Hostility | null) {
  const frame = new HostileFrame(hostility);
  const flexible = request.isFlexible(version);
  const head = Buffer.alloc(8);
  head.writeInt16BE(key, 0);
  head.writeInt16BE(version, 2);
  head.writeInt32BE(1, 4);
  // The client's name, in the old form in every version (KIP-511).
  const client: Fields = { clientId: { type: string, options: { flexibleNever: true } } };
  frame.struct(client, version, flexible);
  frame.struct(request.fields, version, flexible);
  return { bytes: Buffer.concat([head, frame.finish()]), sites: frame.sites };
}

/** A request as it should be. */
export const plainFrame = (api: ApiSchema, version: number): Buffer =>
  frameOf(api, version, null).bytes;

/** Requests with a list of so many elements, for each list that this version has. */
export function longFrames(api: ApiSchema, version: number, count: number): Buffer[] {
  const { sites } = frameOf(api, version, null);
  return sites.flatMap((kind, site) =>
    kind === 'list' ? [frameOf(api, version, { site, count }).bytes] : [],
  );
}

/** Every way in which a request of this version can be wrong in one place. */
export function* hostileFrames(
  api: ApiSchema,
  version: number,
): Generator<{ readonly what: string; readonly frame: Buffer }> {
  const { sites } = frameOf(api, version, null);
  const one = (hostility: Hostility, how: string) => ({
    what: `API ${api.key} v${version}, ${sites[hostility.site]} ${hostility.site}: ${how}`,
    frame: frameOf(api, version, hostility).bytes,
  });
  for (const [site, kind] of sites.entries()) {
    if (kind === 'tags') {
      for (const tags of ['many', 'endless', 'large'] as const) yield one({ site, tags }, tags);
      continue;
    }
    for (const length of LENGTHS) yield one({ site, length }, `length ${length}`);
    if (kind !== 'text') continue;
    for (const [how, text] of Object.entries(hostileTexts)) yield one({ site, text }, how);
  }
}
