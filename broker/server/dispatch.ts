/**
 * From a frame to an answer: header, version, handler, response. The one place where something
 * thrown becomes an error code; what is not a Kafka request at all closes the connection, as does an
 * answer that cannot be encoded, and a bug of a handler ends the process.
 */

import { MalformedMessage, Reader, Writer } from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { apiVersionsResponse } from '../../proto/kafka/messages/18-api-versions.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Later } from '../../stdx/later.ts';
import type { Logger } from '../../stdx/logger.ts';
import { SparingLogger } from '../../stdx/sparing-logger.ts';
import type { Api, HandlerResult, RequestContext } from '../api/handler.ts';
import type { Answer, Connection, RequestKind } from './connection.ts';
import type { Quotas } from './quotas.ts';

const API_VERSIONS = 18;
const PRODUCE = 0;
const FETCH = 1;
/** CreateTopics, DeleteTopics, CreatePartitions. */
const MUTATIONS: ReadonlySet<number> = new Set([19, 20, 37]);

interface FetchedRecords {
  readonly responses?: readonly {
    readonly partitions: readonly { readonly records: readonly Buffer[] }[];
  }[];
}

function recordBytes({ responses = [] }: FetchedRecords): number {
  let sum = 0;
  for (const { partitions } of responses)
    for (const { records } of partitions) for (const { length } of records) sum += length;
  return sum;
}

export interface RequestObserver {
  onRequest(name: string, elapsedMs: number, error: boolean): void;
}

export interface DispatchDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly apis: ReadonlyMap<number, Api>;
  readonly observer: RequestObserver;
  readonly quotas: Quotas;
  /** Runs before a request is looked at: what was known may be too old to answer from. */
  readonly look: () => void;
}

export class UnknownRequest extends Error {}

/** The size field, the response header and the body, ready to be sent. */
function encode(api: Api, version: number, correlationId: number, response: unknown): Buffer[] {
  const w = new Writer(512);
  w.int32(0);
  w.int32(correlationId);
  // ApiVersions answers always carry the old header, so that a client of any age can read them.
  if (api.response.isFlexible(version) && api.key !== API_VERSIONS) w.int8(0);
  api.response.write(w, version, response as never);
  const size = w.byteCount - 4;
  const chunks = w.finish();
  (chunks[0] as Buffer).writeInt32BE(size, 0);
  return chunks;
}

export class Dispatch {
  private readonly deps: DispatchDeps;
  /** For what clients can bring about as often as they like. */
  private readonly sparing: SparingLogger;

  constructor(deps: DispatchDeps) {
    this.deps = deps;
    this.sparing = new SparingLogger(deps.clock, deps.logger);
  }

  /** Said before the request is looked at; what is no request is refused by `onRequest`. */
  kindOf(frame: Buffer): RequestKind {
    const api = frame.length < 2 ? undefined : this.deps.apis.get(frame.readInt16BE(0));
    if (api?.overlapping === true) return 'overlapping';
    return api?.urgent === true ? 'urgent' : 'alone';
  }

  onRequest(
    connection: Connection,
    frame: Buffer,
    owned: boolean,
    done: (answer: Answer, whenSent: (() => void) | null) => void,
  ): void {
    this.deps.look();
    if (frame.length < 8) throw new UnknownRequest('a request must have a header');
    const key = frame.readInt16BE(0);
    const version = frame.readInt16BE(2);
    const correlationId = frame.readInt32BE(4);
    const api = this.deps.apis.get(key);
    if (api === undefined) throw new UnknownRequest(`API key ${key} is not served`);
    if (version < api.versions[0] || version > api.versions[1]) {
      if (key !== API_VERSIONS)
        throw new UnknownRequest(`${api.name} version ${version} is not served`);
      done(unsupportedApiVersions(api, correlationId), null);
      return;
    }
    const startedMs = this.deps.clock.monotonicMs();
    // Whatever may be kept beyond this call must not sit in the shared read buffer.
    const bytes = owned || api.synchronous === true ? frame : Buffer.from(frame);
    const reader = new Reader(bytes);
    const header = requestHeader.read(reader, api.request.isFlexible(version) ? 2 : 1);
    const request = this.read(api, reader, version);
    let whenSent: (() => void) | null = null;
    let busyMs = 0;
    const context: RequestContext = {
      whenSent: (run) => {
        whenSent = run;
      },
      apiVersion: version,
      clientId: header.clientId,
      peer: connection.peer,
      listener: connection.listener,
      connection,
      admitMutations: (partitions, isStrict) => {
        const { quotas } = this.deps;
        const key = 'controller_mutation_rate';
        if (isStrict && quotas.charge(key, header.clientId, 0) > 0) return false;
        quotas.charge(key, header.clientId, partitions);
        return true;
      },
      noteSoftware: (name, softwareVersion) => {
        connection.software = { name, version: softwareVersion };
      },
    };
    const finish = (response: unknown, error: boolean) => {
      this.deps.observer.onRequest(api.name, this.deps.clock.monotonicMs() - startedMs, error);
      const used = { requestBytes: frame.length, busyMs };
      const throttleTimeMs = this.throttle(api, header.clientId, used, response);
      if (throttleTimeMs > 0) {
        if (response !== null)
          (response as { throttleTimeMs: number }).throttleTimeMs = throttleTimeMs;
        connection.mute(throttleTimeMs);
      }
      return response === null ? null : encode(api, version, correlationId, response);
    };
    /** Where an answer cannot be made nobody is told, for that may fail in the same way. */
    const reply = (make: () => Answer) => {
      let answer: Answer = null;
      try {
        answer = make();
      } catch (cause) {
        this.sparing.error('an answer could not be encoded', { api: api.name, version, cause });
        connection.close(cause);
      }
      done(answer, whenSent);
    };
    const succeed = (response: unknown) => reply(() => finish(response, false));
    const fail = (cause: unknown) => {
      const error = this.errorOf(api, cause);
      reply(() => finish(api.failed(request, error, version), true));
    };
    let result: HandlerResult<unknown>;
    try {
      result = api.handle(request, context);
    } catch (cause) {
      fail(cause);
      return;
    }
    busyMs = this.deps.clock.monotonicMs() - startedMs;
    if (result instanceof Promise) void result.then(succeed, fail);
    else if (result instanceof Later) result.whenSettled(succeed, fail);
    else succeed(result);
  }

  /** @throws MalformedMessage whatever it is that could not be read */
  private read(api: Api, reader: Reader, version: number): unknown {
    try {
      return api.request.read(reader, version);
    } catch (cause) {
      if (cause instanceof MalformedMessage) throw cause;
      this.sparing.error('a request could not be decoded', { api: api.name, version, cause });
      throw new MalformedMessage(`${api.name} version ${version} could not be decoded`);
    }
  }

  /** For how long the client is to be held after this answer. */
  private throttle(
    api: Api,
    clientId: string | null,
    used: { readonly requestBytes: number; readonly busyMs: number },
    response: unknown,
  ): number {
    const { quotas } = this.deps;
    if (!quotas.isUsed) return 0;
    // Percents of the one thread that serves requests: 10 ms in a second are one.
    const forTime = quotas.charge('request_percentage', clientId, used.busyMs / 10);
    return Math.max(forTime, this.throttleForWork(api, clientId, used.requestBytes, response));
  }

  private throttleForWork(
    api: Api,
    clientId: string | null,
    requestBytes: number,
    response: unknown,
  ): number {
    const { quotas } = this.deps;
    if (api.key === PRODUCE) return quotas.charge('producer_byte_rate', clientId, requestBytes);
    if (api.key === FETCH)
      return quotas.charge('consumer_byte_rate', clientId, recordBytes(response as FetchedRecords));
    if (!MUTATIONS.has(api.key)) return 0;
    return quotas.charge('controller_mutation_rate', clientId, 0);
  }

  private errorOf(api: Api, cause: unknown): ErrorName {
    if (cause instanceof KafkaError) return cause.error;
    // What a client sent wrongly was refused before; this is not its fault.
    expectNoBug(`answering ${api.name}`, cause);
    this.sparing.error('request failed', { api: api.name, cause });
    return 'UNKNOWN_SERVER_ERROR';
  }
}

/** An ApiVersions request of a version that is too new is answered in version 0, with the range. */
function unsupportedApiVersions(api: Api, correlationId: number): Buffer[] {
  const [minVersion, maxVersion] = api.versions;
  const body = apiVersionsResponse.encode(
    {
      errorCode: codeOf('UNSUPPORTED_VERSION'),
      apiKeys: [{ apiKey: api.key, minVersion, maxVersion }],
    },
    0,
  );
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4, 0);
  head.writeInt32BE(correlationId, 4);
  return [head, body];
}
