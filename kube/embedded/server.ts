/** The embedded API over HTTP: paths, content types, tables and watches as Kubernetes clients expect them. */
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { KubeObject } from '../objects.ts';
import {
  collectionOf,
  type EmbeddedApi,
  type PatchType,
  type Subresource,
  type WriteOptions,
} from './api.ts';
import { ApiError, badRequest, statusOf } from './api-error.ts';
import { APPLY_TYPE, BodyReader, JSON_TYPE, mediaTypeOf, parseBody, unsupported } from './body.ts';
import {
  coreVersions,
  groupList,
  groupOf,
  openApiIndex,
  openApiOf,
  resourceList,
} from './discovery.ts';
import { isDryRun, rehearsed } from './dry-run.ts';
import { Entrance } from './entrance.ts';
import { groupVersion, type Kind } from './kinds.ts';
import { bindPod, evictPod } from './pod-actions.ts';
import { PROTOBUF_TYPE } from './protobuf.ts';
import { selectorFor } from './selectors.ts';
import { tableOf } from './table.ts';
import { Watches } from './watches.ts';

const CONNECTIONS_MAX = 4_096;
/** For a request's head, and for a handshake. */
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** For an answer that a client does not read. */
const ANSWER_TIMEOUT_MS = 60_000;
const PATCHES: Readonly<Record<string, PatchType>> = {
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
  'application/strategic-merge-patch+json': 'strategic',
  [APPLY_TYPE]: 'apply',
};
const OBJECTS = [JSON_TYPE, 'application/yaml', PROTOBUF_TYPE];

interface Target {
  /** Where it is done: a copy of everything if it is only tried. */
  readonly api: EmbeddedApi;
  readonly kind: Kind;
  /** Null: all namespaces. */
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: Subresource | 'log' | 'binding' | 'eviction' | null;
}

export interface EmbeddedServerDeps {
  readonly api: EmbeddedApi;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What every request must show. */
  readonly token: string;
  /** Without it, plain HTTP: kubectl sends no token then. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** What a pod's container wrote; null: the pod is not known. */
  readonly logsOf?: (namespace: string, pod: string, tailLines: number | null) => string | null;
}

export class EmbeddedServer implements AsyncDisposable {
  private readonly deps: EmbeddedServerDeps;
  private readonly server: http.Server;
  private readonly entrance: Entrance;
  private readonly bodies = new BodyReader();
  private readonly watches: Watches;

  constructor(deps: EmbeddedServerDeps) {
    this.deps = deps;
    this.entrance = new Entrance(deps.token);
    this.watches = new Watches({ store: deps.api.store, clock: deps.clock, logger: deps.logger });
    const options = { keepAliveTimeout: 120_000, headersTimeout: HEAD_TIMEOUT_MS };
    const onRequest = (request: http.IncomingMessage, response: http.ServerResponse) =>
      void this.serve(request, response);
    this.server =
      deps.tls === undefined
        ? http.createServer(options, onRequest)
        : https.createServer(
            { ...options, ...deps.tls, handshakeTimeout: HEAD_TIMEOUT_MS },
            onRequest,
          );
    this.server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws Error EADDRINUSE and the like. */
  listen(host: string, port: number): Promise<number> {
    this.entrance.answersTo(host);
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () =>
        resolve((this.server.address() as { port: number }).port),
      );
    });
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    // A client that goes while it is answered.
    response.on('error', () => {});
    try {
      const { method = '', headers } = request;
      const url = new URL(`http://embedded${request.url ?? '/'}`);
      this.entrance.check({ method, path: url.pathname, headers });
      const body =
        method === 'GET' || method === 'HEAD' ? null : await this.bodyOf(request, method);
      this.route(request, response, url, body);
    } catch (cause) {
      const error =
        cause instanceof ApiError
          ? cause
          : new ApiError(500, 'InternalError', String((cause as Error).message ?? cause));
      if (!(cause instanceof ApiError))
        this.deps.logger.error('a request failed', { url: request.url, cause });
      if (response.headersSent) return void response.destroy();
      // What was not read is not waited for.
      if (!request.complete) response.setHeader('connection', 'close');
      this.send(response, error.status, statusOf(error));
    }
  }

  /**
   * What a request brings with it, null for nothing. Forms that a page may send without being asked
   * (text, forms) are not among those that are read.
   */
  private async bodyOf(request: http.IncomingMessage, method: string): Promise<unknown> {
    const mediaType = mediaTypeOf(request.headers['content-type']);
    const known = method === 'PATCH' ? Object.keys(PATCHES) : OBJECTS;
    if (mediaType !== '' && !known.includes(mediaType)) throw unsupported(mediaType, known);
    const bytes = await this.bodies.read(request);
    if (bytes.length === 0 && method === 'DELETE') return null;
    if (mediaType === '') throw unsupported(mediaType, known);
    return parseBody(bytes, mediaType);
  }

  private route(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    body: unknown,
  ): void {
    const { api } = this.deps;
    const path = url.pathname.replace(/\/+$/, '');
    const kinds = api.kinds();
    if (path === '/livez' || path === '/readyz' || path === '/healthz') {
      response.end('ok');
      return;
    }
    if (path === '/version')
      return this.send(response, 200, {
        major: '1',
        minor: '35',
        gitVersion: 'v1.35.0+tenure',
        platform: 'embedded',
      });
    if (path === '/api') return this.send(response, 200, coreVersions());
    if (path === '/apis') return this.send(response, 200, groupList(kinds));
    if (path === '/openapi/v3') return this.send(response, 200, openApiIndex(kinds));
    const openApi = /^\/openapi\/v3\/(?:api|apis)\/(.+)$/.exec(path);
    if (openApi !== null) {
      const document = openApiOf(kinds, openApi[1] as string);
      if (document === null) throw new ApiError(404, 'NotFound', 'there is no such group version');
      return this.send(response, 200, document);
    }
    const group = /^\/apis\/([^/]+)$/.exec(path);
    if (group !== null) {
      const versions = [
        ...new Set(kinds.filter((kind) => kind.group === group[1]).map(({ version }) => version)),
      ];
      if (versions.length === 0)
        throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
      return this.send(response, 200, groupOf(group[1] as string, versions));
    }
    const listed = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))$/.exec(path);
    if (listed !== null) {
      const gv = (listed[1] ?? listed[2]) as string;
      if (!kinds.some((kind) => groupVersion(kind) === gv))
        throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
      return this.send(response, 200, resourceList(kinds, gv));
    }
    const target = this.target(path);
    if (!isDryRun(request.method ?? '', url.searchParams, body))
      return this.operate(request, response, url, body, target);
    using rehearsal = api.rehearsal();
    this.operate(request, response, url, body, { ...target, api: rehearsal });
  }

  private target(path: string): Target {
    const parts = path.split('/').slice(1);
    const missing = () =>
      new ApiError(404, 'NotFound', 'the server could not find the requested resource');
    const [root, ...rest] = parts;
    const [group, version, ...tail] = root === 'api' ? ['', rest[0], ...rest.slice(1)] : rest;
    if ((root !== 'api' && root !== 'apis') || version === undefined) throw missing();
    const namespaced = tail[0] === 'namespaces' && tail.length >= 3;
    const namespace = namespaced ? (tail[1] as string) : null;
    const [plural, name, subresource] = namespaced ? tail.slice(2) : tail;
    const kind = this.deps.api.kind(group ?? '', version, plural ?? '');
    if (kind === null) throw missing();
    const ofPods = ['log', 'binding', 'eviction'];
    const known = ['status', 'scale', ...(kind.kind === 'Pod' ? ofPods : [])];
    if (subresource !== undefined && !known.includes(subresource)) throw missing();
    return {
      api: this.deps.api,
      kind,
      namespace,
      name: name ?? null,
      subresource: (subresource ?? null) as Target['subresource'],
    };
  }

  private operate(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    body: unknown,
    target: Target,
  ): void {
    const { api, kind, name, subresource } = target;
    const namespace = target.namespace ?? '';
    const query = url.searchParams;
    const options: WriteOptions = {
      fieldManager: query.get('fieldManager') ?? '',
      fieldValidation: query.get('fieldValidation') ?? '',
      force: query.get('force') === 'true',
    };
    const one = (object: KubeObject, status = 200) =>
      this.sendObject(request, response, kind, this.shown(target, object), status, query);
    if (subresource === 'log') return this.sendLogs(response, namespace, name ?? '', query);
    if (subresource === 'binding' || subresource === 'eviction') {
      if (request.method !== 'POST')
        throw new ApiError(405, 'MethodNotAllowed', `${request.method} is not supported`);
      const act = subresource === 'binding' ? bindPod : evictPod;
      const of = { namespace, name: name ?? '' };
      return this.send(response, 201, act(api, kind, of, (body ?? {}) as object));
    }
    switch (request.method) {
      case 'GET':
        if (name === null)
          return query.get('watch') === 'true' || query.get('watch') === '1'
            ? this.watch(request, response, target, query)
            : this.sendList(request, response, target, query);
        if (subresource === 'scale')
          return this.send(response, 200, api.scale(kind, namespace, name));
        return one(api.get(kind, namespace, name));
      case 'POST':
        return one(api.create(kind, namespace, body as KubeObject, options), 201);
      case 'PUT':
        if (name === null) throw badRequest('a name is required');
        return one(api.replace(kind, namespace, name, body as KubeObject, subresource, options));
      case 'PATCH': {
        const type = PATCHES[mediaTypeOf(request.headers['content-type'])] as PatchType;
        if (type === 'strategic' && kind.crd !== null)
          throw new ApiError(
            415,
            'UnsupportedMediaType',
            'strategic merge patches are for built-in kinds',
          );
        if (name === null) throw badRequest('a name is required');
        return one(
          api.patch(
            kind,
            namespace,
            name,
            type,
            body as Record<string, unknown>,
            subresource,
            options,
          ),
        );
      }
      case 'DELETE':
        return this.remove(response, target, body, query);
      default:
        throw new ApiError(405, 'MethodNotAllowed', `${request.method} is not supported`);
    }
  }

  private remove(
    response: http.ServerResponse,
    target: Target,
    body: unknown,
    query: URLSearchParams,
  ): void {
    const { api, kind, namespace, name } = target;
    const options = (body ?? {}) as {
      gracePeriodSeconds?: number;
      propagationPolicy?: string;
      preconditions?: { uid?: string };
    };
    const grace = query.get('gracePeriodSeconds');
    const of = {
      ...(options.preconditions?.uid === undefined ? {} : { uid: options.preconditions.uid }),
      ...(grace !== null
        ? { gracePeriodSeconds: Number(grace) }
        : options.gracePeriodSeconds === undefined
          ? {}
          : { gracePeriodSeconds: options.gracePeriodSeconds }),
      orphan: (options.propagationPolicy ?? query.get('propagationPolicy')) === 'Orphan',
    };
    if (name === null) {
      const selects = selectorFor(query);
      for (const object of api.list(kind, namespace, selects))
        api.delete(kind, object.metadata.namespace ?? '', object.metadata.name, of);
      return this.send(response, 200, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
      });
    }
    const before = api.get(kind, namespace ?? '', name);
    const left = api.delete(kind, namespace ?? '', name, of);
    if (left !== null) return this.send(response, 200, this.shown(target, left));
    this.send(response, 200, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, group: kind.group, kind: kind.plural, uid: before.metadata.uid },
    });
  }

  private sendLogs(
    response: http.ServerResponse,
    namespace: string,
    pod: string,
    query: URLSearchParams,
  ): void {
    const tail = query.get('tailLines');
    const text = this.deps.logsOf?.(namespace, pod, tail === null ? null : Number(tail)) ?? null;
    if (text === null) throw new ApiError(404, 'NotFound', `pods "${pod}" not found`);
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(text);
  }

  // ---- lists, tables, watches -----------------------------------------------------------------

  private wantsTable(request: http.IncomingMessage): boolean {
    return (request.headers.accept ?? '').includes('as=Table');
  }

  private table(
    kind: Kind,
    objects: readonly KubeObject[],
    query: URLSearchParams,
    headers: boolean,
    resourceVersion: string,
  ): object {
    return tableOf(kind, objects, {
      nowMs: this.deps.clock.nowMs(),
      resourceVersion,
      includeObject: query.get('includeObject') ?? 'Metadata',
      headers,
    });
  }

  private shown({ api, kind }: Target, object: KubeObject): KubeObject {
    if (api === this.deps.api) return object;
    const { namespace = '', name } = object.metadata;
    return rehearsed(object, this.deps.api.find(kind, namespace, name));
  }

  private sendObject(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    kind: Kind,
    object: KubeObject,
    status: number,
    query: URLSearchParams,
  ): void {
    if (request.method === 'GET' && this.wantsTable(request)) {
      return this.send(
        response,
        status,
        this.table(kind, [object], query, true, object.metadata.resourceVersion ?? ''),
      );
    }
    this.send(response, status, object);
  }

  private sendList(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    { kind, namespace }: Target,
    query: URLSearchParams,
  ): void {
    const { api } = this.deps;
    const items = api.list(kind, namespace, selectorFor(query));
    const resourceVersion = String(api.store.version);
    if (this.wantsTable(request))
      return this.send(response, 200, this.table(kind, items, query, true, resourceVersion));
    this.send(response, 200, {
      kind: `${kind.kind}List`,
      apiVersion: groupVersion(kind),
      metadata: { resourceVersion },
      items,
    });
  }

  private watch(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    { kind, namespace }: Target,
    query: URLSearchParams,
  ): void {
    const selects = selectorFor(query);
    const asTable = this.wantsTable(request);
    this.watches.start(response, {
      collection: collectionOf(kind),
      selects: (object) =>
        (namespace === null || object.metadata.namespace === namespace) && selects(object),
      shown: (object, first) =>
        asTable
          ? this.table(kind, [object], query, first, object.metadata.resourceVersion ?? '')
          : object,
      from: versionOf(query.get('resourceVersion')),
      bookmark:
        query.get('allowWatchBookmarks') === 'true'
          ? (resourceVersion) => ({
              kind: kind.kind,
              apiVersion: groupVersion(kind),
              metadata: { resourceVersion, name: '' },
            })
          : null,
      seconds: Number(query.get('timeoutSeconds') ?? 0),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watches[Symbol.dispose]();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private send(response: http.ServerResponse, status: number, body: object): void {
    const text = JSON.stringify(body);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
    if (response.writableFinished) return;
    const timer = this.deps.clock.after(ANSWER_TIMEOUT_MS, () => response.destroy());
    response.on('close', () => timer[Symbol.dispose]());
  }
}

/** From where a watch goes on; null: from all that there is. @throws ApiError where it is no version. */
function versionOf(text: string | null): number | null {
  if (text === null || text === '' || text === '0') return null;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`Invalid value: ${JSON.stringify(text)}: a version`);
  return Number(text);
}
