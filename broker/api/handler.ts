/** What an API handler is, and what it may see of a request. */

import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { Message } from '../../proto/kafka/schema.ts';
import type { Later } from '../../stdx/later.ts';
import type { Sharer } from '../../stdx/loop-share.ts';
import type { AnswerMemory } from '../memory/connection-memory.ts';

/** The connection that a request came through: for what must not outlive it, and whose share of the loop it is. */
export interface ClientConnection extends Sharer {
  readonly isClosed: boolean;
  /** What the client says that it is. */
  software: { name: string; version: string };
  /** Runs `run` once when the connection ends, at once where it has; once for each `owner`. */
  whenClosed(owner: object, run: () => void): void;
  /** Room for what is read for the answer. */
  readonly memory: AnswerMemory;
  /**
   * To be called by a handler of an API that is `overlapping` before it returns, where it needs the bytes of
   * its request (or a copy of them) for longer: they count against the memory budget until it is answered.
   */
  keepRequest(): void;
}

export interface RequestContext {
  readonly apiVersion: number;
  readonly clientId: string | null;
  readonly peer: string;
  /** Name of the listener that the client came through; answers name addresses of the same one. */
  readonly listener: string;
  readonly connection: ClientConnection;
  /** Runs once the answer was handed to the system, or never will be. */
  afterwards: (() => void) | null;
  /**
   * Counts partitions that are made or deleted against the client's quota (KIP-599); false where it
   * is over it and of a version that can be told so.
   */
  readonly admitMutations: (partitions: number, isStrict: boolean) => boolean;
}

/** A response, now or later; null where the request wants none (acks=0). */
export type HandlerResult<Response> = Response | null | Promise<Response | null> | Later<Response>;

export interface Api<Request = any, Response = any> {
  readonly key: number;
  readonly name: string;
  readonly request: Message<Request>;
  readonly response: Message<any>;
  /** First and last version served. */
  readonly versions: readonly [number, number];
  /** What ApiVersions says, where it differs from what is served (KAFKA-18659). */
  readonly advertised?: readonly [number, number];
  /** The handler is done with the request's bytes when it returns. */
  readonly synchronous?: boolean;
  /** Requests of this kind may be worked at side by side; of others each connection has one at a time. */
  readonly overlapping?: boolean;
  /** Worked at even where there is no memory for answers: its own is small. */
  readonly urgent?: boolean;
  readonly handle: (request: Request, context: RequestContext) => HandlerResult<Response>;
  /** The response to give where the handler threw. */
  readonly failed: (request: Request, error: ErrorName, version: number) => Response;
}

/** Ties a handler to its schemas; types follow from them. */
export function api<Request, Response>(of: {
  key: number;
  name: string;
  request: Message<Request>;
  response: Message<Response>;
  versions?: readonly [number, number];
  advertised?: readonly [number, number];
  synchronous?: boolean;
  overlapping?: boolean;
  urgent?: boolean;
  handle: (
    request: Request,
    context: RequestContext,
  ) => HandlerResult<import('../../proto/kafka/schema.ts').Partially<Response>>;
  failed: (
    request: Request,
    error: ErrorName,
    version: number,
  ) => import('../../proto/kafka/schema.ts').Partially<Response>;
}): Api {
  return { ...of, versions: of.versions ?? of.request.versions } as Api;
}
