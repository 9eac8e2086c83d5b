/**
 * Bodies of requests: how many bytes there may be, in which forms, and what may be in them. All that a
 * client sends becomes a value here and nowhere else, so what is said of values here is true of all.
 */
import type { IncomingMessage } from 'node:http';
import { load as parseYaml } from 'js-yaml';
import { ApiError, badRequest } from './api-error.ts';
import { PROTOBUF_TYPE, parseProtobuf } from './protobuf.ts';
import { DEPTH_MAX, faultOf } from './tree.ts';

/** As a real API server has it. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;
/** Of all bodies that are on their way at the same time. */
const READING_BYTES_MAX = 64 * 1024 * 1024;

export const JSON_TYPE = 'application/json';
const YAML_TYPE = 'application/yaml';
export const APPLY_TYPE = 'application/apply-patch+yaml';

/** The media type, without its parameters; empty where there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

export function unsupported(mediaType: string, known: readonly string[]): ApiError {
  return new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format (${JSON.stringify(mediaType)}) - accepted media types include: ${known.join(', ')}`,
  );
}

/** Reads bodies; how much of them may wait in memory is bounded for all of them together. */
export class BodyReader {
  private readingByteCount = 0;

  /** @throws ApiError 413 or 429 where that is too much. */
  async read(request: IncomingMessage): Promise<Buffer> {
    const parts: Buffer[] = [];
    let byteCount = 0;
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        byteCount += part.length;
        this.readingByteCount += part.length;
        if (byteCount > BODY_BYTES_MAX)
          throw new ApiError(
            413,
            'RequestEntityTooLarge',
            `a request body must not exceed ${BODY_BYTES_MAX} bytes`,
          );
        if (this.readingByteCount > READING_BYTES_MAX)
          throw new ApiError(429, 'TooManyRequests', 'too many bodies are being sent, try again');
        parts.push(part);
      }
      return Buffer.concat(parts);
    } finally {
      this.readingByteCount -= byteCount;
    }
  }
}

/**
 * The value of a body. JSON of every form is read as JSON; YAML, which JSON is too, only where a client says
 * so: without aliases, by a parser that needs time in proportion to the text.
 * @throws ApiError where it is not what its type says, or is what no object may be
 */
export function parseBody(bytes: Buffer, mediaType: string): unknown {
  const value = mediaType === PROTOBUF_TYPE ? parseProtobuf(bytes) : parseText(bytes, mediaType);
  const fault = faultOf(value);
  if (fault !== null) throw badRequest(`the body ${fault}`);
  return value;
}

function parseText(bytes: Buffer, mediaType: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badRequest('the body must be UTF-8');
  }
  return mediaType === YAML_TYPE || mediaType === APPLY_TYPE ? yaml(text) : json(text);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badRequest(`the body must be JSON: ${(cause as Error).message}`);
  }
}

function yaml(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      return parseYaml(text, { maxDepth: DEPTH_MAX, maxAliases: 0 });
    } catch (cause) {
      throw badRequest(`the body must be JSON or YAML: ${(cause as Error).message}`);
    }
  }
}
