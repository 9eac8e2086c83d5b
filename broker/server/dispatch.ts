/**
 * From a frame to an answer: header, version, handler, response. The one place where something
 * thrown becomes an error code; what is not a Kafka request at all closes the connection, as does an
 * answer that cannot be encoded, and a bug of a handler ends the process.
 */

import {
  MalformedMessage,
  Reader,
  TooManyAtOnce,
  Unencodable,
  Writer,
} from '../../proto/kafka/cursor.ts';
import { codeOf, type ErrorName, KafkaError } from '../../proto/kafka/errors.ts';
import { apiVersionsResponse } from '../../proto/kafka/messages/18-api-versions.ts';
import { requestHeader } from '../../proto/kafka/messages/headers.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import { Later } from '../../stdx/later.ts';
import type { Logger } from '../../stdx/logger.ts';
import { inTurns, Pace } from '../../stdx/loop-share.ts';
import { SparingLogger } from '../../stdx/sparing-logger.ts';
import type { Turn } from '../../stdx/turn.ts';
import type { Api, HandlerResult, RequestContext } from '../api/handler.ts';
import type { Answer, Connection, RequestKind } from './connection.ts';
import type { Quotas } from './quotas.ts';

const API_VERSIONS = 18;
const PRODUCE = 0;
const FETCH = 1;
/** CreateTopics, DeleteTopics, CreatePartitions. */
const MUTATIONS: ReadonlySet<number> = new Set([19, 20, 37]);

/** What has more elements of lists is read and written in slices, so that nobody has to wait for it. */
const ELEMENTS_AT_ONCE = 2_000;
/** As well as what is longer. */
const BYTES_AT_ONCE = 256 * 1024;
/** A request to produce is read at once: it overlaps with the next one, and their order is that of the records. */
const PRODUCE_ELEMENTS_MAX = 20_000;
/** As many as a reassignment of 100,000 partitions to four brokers each has. */
export const REQUEST_ELEMENTS_MAX = 500_000;
/** Records are not counted: they are not encoded. */
const ANSWER_BYTES_MAX = 100 * 1024 * 1024;

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
  readonly turn: Turn;
  readonly logger: Logger;
  readonly apis: ReadonlyMap<number, Api>;
  readonly observer: RequestObserver;
  readonly quotas: Quotas;
  /** Runs before a request is looked at: what was known may be too old to answer from. */
  readonly look: () => void;
}

/** Instead of a request that is being read. */
const LATER = Symbol('later');

export class UnknownRequest extends Error {}

/** One request on its way to its answer, and what its handler sees of it. */
interface Exchange extends RequestContext {
  readonly api: Api;
  readonly correlationId: number;
  readonly connection: Connection;
  readonly frameBytes: number;
  readonly startedMs: number;
  readonly done: (answer: Answer, whenSent: (() => void) | null) => void;
  request: unknown;
  busyMs: number;
}

/** Begins an answer: room for the size field, and the response header. */
function begin(w: Writer, { api, apiVersion, correlationId }: Exchange): void {
  w.int32(0);
  w.int32(correlationId);
  // ApiVersions answers always carry the old header, so that a client of any age can read them.
  if (api.response.isFlexible(apiVersion) && api.key !== API_VERSIONS) w.int8(0);
}

/** The size field, the response header and the body, ready to be sent. */
function finished(w: Writer): Buffer[] {
  const size = w.byteCount - 4;
  const chunks = w.finish();
  (chunks[0] as Buffer).writeInt32BE(size, 0);
  return chunks;
}

/** @throws TooManyAtOnce where it must be done in steps. */
function encode(of: Exchange, response: unknown): Buffer[] {
  const w = new Writer(512);
  w.elementsLeft = ELEMENTS_AT_ONCE;
  begin(w, of);
  of.api.response.write(w, of.apiVersion, response as never);
  return finished(w);
}

function* encodeInSteps(of: Exchange, response: unknown): Generator<void, Buffer[]> {
  const w = new Writer(BYTES_AT_ONCE);
  begin(w, of);
  for (const _ of of.api.response.writeInSteps(w, of.apiVersion, response as never)) {
    if (w.byteCount > ANSWER_BYTES_MAX)
      throw new Unencodable(`an answer must not exceed ${ANSWER_BYTES_MAX} bytes`);
    yield;
  }
  return finished(w);
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
    const { clock, turn } = this.deps;
    const startedMs = clock.monotonicMs();
    // Whatever may be kept beyond this call must not sit in the shared read buffer.
    const bytes = owned || api.synchronous === true ? frame : Buffer.from(frame);
    const reader = new Reader(bytes);
    const { clientId } = requestHeader.read(reader, api.request.isFlexible(version) ? 2 : 1);
    const exchange: Exchange = {
      api,
      apiVersion: version,
      correlationId,
      clientId,
      connection,
      peer: connection.peer,
      listener: connection.listener,
      frameBytes: frame.length,
      startedMs,
      done,
      request: LATER,
      busyMs: 0,
      afterwards: null,
      admitMutations: (partitions, isStrict) => {
        const { quotas } = this.deps;
        const key = 'controller_mutation_rate';
        if (isStrict && quotas.charge(key, clientId, 0) > 0) return false;
        quotas.charge(key, clientId, partitions);
        return true;
      },
    };
    exchange.request = this.read(exchange, reader);
    if (exchange.request !== LATER) this.handle(exchange);
    turn.share.charge(connection, startedMs, clock.monotonicMs());
  }

  /** The request, or LATER where it is read in slices. @throws MalformedMessage */
  private read(exchange: Exchange, reader: Reader): unknown {
    const { api, apiVersion: version, frameBytes } = exchange;
    const isProduce = api.key === PRODUCE;
    const { at } = reader;
    if (isProduce || frameBytes <= BYTES_AT_ONCE) {
      reader.elementsLeft = isProduce ? PRODUCE_ELEMENTS_MAX : ELEMENTS_AT_ONCE;
      try {
        return api.request.read(reader, version);
      } catch (cause) {
        if (isProduce || !(cause instanceof TooManyAtOnce)) throw this.malformed(exchange, cause);
      }
    }
    reader.at = at;
    reader.elementsLeft = REQUEST_ELEMENTS_MAX;
    const pace = new Pace(this.deps.turn.share, exchange.connection);
    inTurns(pace, api.request.readInSteps(reader, version)).then(
      (request) => {
        exchange.request = request;
        if (exchange.connection.isClosed) exchange.done(null, null);
        else this.handle(exchange);
      },
      (cause: unknown) => {
        exchange.connection.close(this.malformed(exchange, cause));
        exchange.done(null, null);
      },
    );
    return LATER;
  }

  private malformed({ api, apiVersion: version }: Exchange, cause: unknown): MalformedMessage {
    if (cause instanceof MalformedMessage) return cause;
    if (cause instanceof TooManyAtOnce)
      return new MalformedMessage(`${api.name} must not have so many elements`);
    this.sparing.error('a request could not be decoded', { api: api.name, version, cause });
    return new MalformedMessage(`${api.name} version ${version} could not be decoded`);
  }

  private handle(exchange: Exchange): void {
    const { api, request } = exchange;
    let result: HandlerResult<unknown>;
    try {
      result = api.handle(request, exchange);
    } catch (cause) {
      this.fail(exchange, cause);
      return;
    }
    exchange.busyMs = this.deps.clock.monotonicMs() - exchange.startedMs;
    if (result instanceof Promise || result instanceof Later) {
      const succeed = (response: unknown) => this.reply(exchange, response, null);
      const fail = (cause: unknown) => this.fail(exchange, cause);
      if (result instanceof Promise) void result.then(succeed, fail);
      else result.whenSettled(succeed, fail);
    } else this.reply(exchange, result, null);
  }

  private fail(exchange: Exchange, cause: unknown): void {
    this.reply(exchange, null, this.errorOf(exchange.api, cause));
  }

  /**
   * The one place where answers become bytes. Where that cannot be done the connection ends: to tell the
   * client may fail in the same way.
   */
  private reply(exchange: Exchange, response: unknown, error: ErrorName | null): void {
    const { api, apiVersion, done, request } = exchange;
    let told = response;
    let answer: Answer = null;
    try {
      if (error !== null) told = api.failed(request, error, apiVersion);
      this.note(exchange, told, error !== null);
      if (told !== null) answer = encode(exchange, told);
    } catch (cause) {
      if (cause instanceof TooManyAtOnce) this.replyInSteps(exchange, told);
      else this.end(exchange, cause);
      return;
    }
    done(answer, exchange.afterwards);
  }

  private replyInSteps(exchange: Exchange, response: unknown): void {
    const pace = new Pace(this.deps.turn.share, exchange.connection);
    void inTurns(pace, encodeInSteps(exchange, response)).then(
      (chunks) => exchange.done(chunks, exchange.afterwards),
      (cause: unknown) => this.end(exchange, cause),
    );
  }

  private end(
    { afterwards, api, apiVersion: version, connection, done }: Exchange,
    cause: unknown,
  ) {
    this.sparing.error('an answer could not be encoded', { api: api.name, version, cause });
    connection.close(cause);
    done(null, afterwards);
  }

  /** Counts what was done for a request, and tells the client in its answer where it was too much. */
  private note(exchange: Exchange, response: unknown, isError: boolean): void {
    const { api, busyMs, clientId, connection, frameBytes, startedMs } = exchange;
    this.deps.observer.onRequest(api.name, this.deps.clock.monotonicMs() - startedMs, isError);
    const used = { requestBytes: frameBytes, busyMs };
    const throttleTimeMs = this.throttle(api, clientId, used, response);
    if (throttleTimeMs === 0) return;
    if (response !== null) (response as { throttleTimeMs: number }).throttleTimeMs = throttleTimeMs;
    connection.mute(throttleTimeMs);
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
