/**
 * The codecs of record batches; `unpacking.ts` undoes what they do. gzip and zstd come with the platform;
 * snappy and lz4 are packed by a WebAssembly module that is loaded by its first user, because most brokers
 * never need it.
 */
import { gzipSync, constants as zlib, zstdCompressSync } from 'node:zlib';

/** By their numbers in the attributes of a batch. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Codec = (typeof codecs)[number];

/** The bytes are not what the codec's name says, or unpack to more than is allowed. */
export class CorruptCompression extends Error {}

/** Kafka's framing of snappy: a magic, two versions, then blocks with their lengths. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;
const XERIAL_BLOCK_BYTES = 32 * 1024;

interface Wasm {
  lz4Compress(data: Buffer): Buffer;
  snappyCompress(data: Buffer): Buffer;
}
let wasm: Wasm | null = null;

/** Whether `compress` may be called for the codec now. */
export function isCodecReady(codec: Codec): boolean {
  return wasm !== null || (codec !== 'snappy' && codec !== 'lz4');
}

/** Makes every codec ready. */
export async function loadCodecs(): Promise<void> {
  wasm ??= await import('@platformatic/wasm-utils/bundled');
}

function loaded(): Wasm {
  if (wasm === null)
    throw new Error('loadCodecs must have resolved before snappy and lz4 are used');
  return wasm;
}

function toXerial(data: Buffer): Buffer {
  const head = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL_MAGIC.copy(head);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(1, 12);
  const parts = [head];
  for (let at = 0; at < data.length; at += XERIAL_BLOCK_BYTES) {
    // A copy: the module's output memory is used again by its next call.
    const block = Buffer.from(loaded().snappyCompress(data.subarray(at, at + XERIAL_BLOCK_BYTES)));
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}

/** @param level of gzip and zstd; other codecs have none here. */
export function compress(codec: Codec, data: Buffer, level: number): Buffer {
  switch (codec) {
    case 'none':
      return data;
    case 'gzip':
      return gzipSync(data, { level });
    case 'zstd':
      return zstdCompressSync(data, { params: { [zlib.ZSTD_c_compressionLevel]: level } });
    case 'snappy':
      return toXerial(data);
    case 'lz4':
      return Buffer.from(loaded().lz4Compress(data));
  }
}
