/** The embedded API over HTTP: paths, content types, tables and watches as Kubernetes clients expect them. */
import http from 'node:http';
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
import { parseBody } from './body.ts';
import {
  coreVersions,
  groupList,
  groupOf,
  openApiIndex,
  openApiOf,
  resourceList,
} from './discovery.ts';
import { isDryRun, rehearsed } from './dry-run.ts';
import { groupVersion, type Kind } from './kinds.ts';
import { bindPod, evictPod } from './pod-actions.ts';
import { selectorFor } from './selectors.ts';
import { tableOf } from './table.ts';

const BODY_BYTES_MAX = 3 * 1024 * 1024;
const BOOKMARK_MS = 30_000;
const PATCHES: Readonly<Record<string, PatchType>> = {
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

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
  /** What a pod's container wrote; null: the pod is not known. */
  readonly logsOf?: (namespace: string, pod: string, tailLines: number | null) => string | null;
}

export class EmbeddedServer implements AsyncDisposable {
  private readonly deps: EmbeddedServerDeps;
  private readonly server: http.Server;
  private readonly watches = new Set<http.ServerResponse>();

  constructor(deps: EmbeddedServerDeps) {
    this.deps = deps;
    this.server = http.createServer((request, response) => void this.serve(request, response));
    this.server.keepAliveTimeout = 120_000;
  }

  /** @throws Error EADDRINUSE and the like. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () =>
        resolve((this.server.address() as { port: number }).port),
      );
    });
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://embedded');
      const body = request.method === 'GET' ? '' : await readBody(request);
      this.route(request, response, url, body);
    } catch (cause) {
      const error =
        cause instanceof ApiError
          ? cause
          : new ApiError(500, 'InternalError', String((cause as Error).message ?? cause));
      if (!(cause instanceof ApiError))
        this.deps.logger.error('a request failed', { url: request.url, cause });
      send(response, error.status, statusOf(error));
    }
  }

  private route(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    body: string,
  ): void {
    const { api } = this.deps;
    const path = url.pathname.replace(/\/+$/, '');
    const kinds = api.kinds();
    if (path === '/livez' || path === '/readyz' || path === '/healthz') {
      response.end('ok');
      return;
    }
    if (path === '/version')
      return send(response, 200, {
        major: '1',
        minor: '35',
        gitVersion: 'v1.35.0+tenure',
        platform: 'embedded',
      });
    if (path === '/api') return send(response, 200, coreVersions());
    if (path === '/apis') return send(response, 200, groupList(kinds));
    if (path === '/openapi/v3') return send(response, 200, openApiIndex(kinds));
    const openApi = /^\/openapi\/v3\/(?:api|apis)\/(.+)$/.exec(path);
    if (openApi !== null) {
      const document = openApiOf(kinds, openApi[1] as string);
      if (document === null) throw new ApiError(404, 'NotFound', 'there is no such group version');
      return send(response, 200, document);
    }
    const group = /^\/apis\/([^/]+)$/.exec(path);
    if (group !== null) {
      const versions = [
        ...new Set(kinds.filter((kind) => kind.group === group[1]).map(({ version }) => version)),
      ];
      if (versions.length === 0)
        throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
      return send(response, 200, groupOf(group[1] as string, versions));
    }
    const listed = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))$/.exec(path);
    if (listed !== null) {
      const gv = (listed[1] ?? listed[2]) as string;
      if (!kinds.some((kind) => groupVersion(kind) === gv))
        throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
      return send(response, 200, resourceList(kinds, gv));
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
    body: string,
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
      return send(response, 201, act(api, kind, of, parseBody(body) as object));
    }
    switch (request.method) {
      case 'GET':
        if (name === null)
          return query.get('watch') === 'true' || query.get('watch') === '1'
            ? this.watch(request, response, target, query)
            : this.sendList(request, response, target, query);
        if (subresource === 'scale') return send(response, 200, api.scale(kind, namespace, name));
        return one(api.get(kind, namespace, name));
      case 'POST':
        return one(api.create(kind, namespace, parseBody(body) as KubeObject, options), 201);
      case 'PUT':
        if (name === null) throw badRequest('a name is required');
        return one(
          api.replace(kind, namespace, name, parseBody(body) as KubeObject, subresource, options),
        );
      case 'PATCH': {
        const contentType = (request.headers['content-type'] ?? '').split(';')[0] as string;
        const type = PATCHES[contentType];
        if (type === undefined)
          throw new ApiError(
            415,
            'UnsupportedMediaType',
            `the patch type ${contentType} is not supported`,
          );
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
            parseBody(body) as Record<string, unknown>,
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
    body: string,
    query: URLSearchParams,
  ): void {
    const { api, kind, namespace, name } = target;
    const options = (body === '' ? {} : parseBody(body)) as {
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
      return send(response, 200, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Success',
      });
    }
    const before = api.get(kind, namespace ?? '', name);
    const left = api.delete(kind, namespace ?? '', name, of);
    if (left !== null) return send(response, 200, this.shown(target, left));
    send(response, 200, {
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
      return send(
        response,
        status,
        this.table(kind, [object], query, true, object.metadata.resourceVersion ?? ''),
      );
    }
    send(response, status, object);
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
      return send(response, 200, this.table(kind, items, query, true, resourceVersion));
    send(response, 200, {
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
    const { api, clock } = this.deps;
    const selects = selectorFor(query);
    const mine = (object: KubeObject) =>
      (namespace === null || object.metadata.namespace === namespace) && selects(object);
    const asTable = this.wantsTable(request);
    let first = true;
    const write = (type: string, object: KubeObject) => {
      const shown =
        asTable && type !== 'BOOKMARK'
          ? this.table(kind, [object], query, first, object.metadata.resourceVersion ?? '')
          : object;
      if (type !== 'BOOKMARK') first = false;
      response.write(`${JSON.stringify({ type, object: shown })}\n`);
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const collection = collectionOf(kind);
    const onEvent = (event: {
      type: string;
      collection: string;
      object: KubeObject;
      before: KubeObject | null;
    }) => {
      if (event.collection !== collection) return;
      // An object that no longer matches is gone for this watcher, one that matches now is new.
      const was = event.before !== null && mine(event.before);
      const is = event.type !== 'DELETED' && mine(event.object);
      if (is) write(was ? 'MODIFIED' : 'ADDED', event.object);
      else if (was) write('DELETED', event.object);
    };
    const from = query.get('resourceVersion');
    if (from === null || from === '' || from === '0') {
      for (const object of api.list(kind, namespace, selects)) write('ADDED', object);
    } else {
      const missed = api.store.since(Number(from));
      if (missed === null) {
        const gone = statusOf(new ApiError(410, 'Expired', `too old resource version: ${from}`));
        response.end(`${JSON.stringify({ type: 'ERROR', object: gone })}\n`);
        return;
      }
      for (const event of missed) onEvent(event);
    }
    const listening = api.store.listen(onEvent);
    this.watches.add(response);
    const bookmark = () =>
      write('BOOKMARK', {
        kind: kind.kind,
        apiVersion: groupVersion(kind),
        metadata: { resourceVersion: String(api.store.version), name: '' },
      } as KubeObject);
    const bookmarks =
      query.get('allowWatchBookmarks') === 'true' ? clock.every(BOOKMARK_MS, bookmark) : null;
    const seconds = Number(query.get('timeoutSeconds') ?? 3600);
    const timer = clock.after(seconds * 1000, () => response.end());
    response.on('close', () => {
      this.watches.delete(response);
      listening[Symbol.dispose]();
      bookmarks?.[Symbol.dispose]();
      timer[Symbol.dispose]();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const response of this.watches) response.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function send(response: http.ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function readBody(request: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let byteCount = 0;
  for await (const part of request) {
    byteCount += (part as Buffer).length;
    if (byteCount > BODY_BYTES_MAX)
      throw new ApiError(
        413,
        'RequestEntityTooLarge',
        `a request body must not exceed ${BODY_BYTES_MAX} bytes`,
      );
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}
