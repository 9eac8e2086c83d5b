/**
 * The KubeApi port over plain HTTPS. Brokers use this: importing a full client would cost each of
 * them 85 MB and a second of CPU for six calls.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expectNoBug } from '../stdx/bug.ts';
import { HttpClient, type HttpResponse } from '../stdx/http-client.ts';
import { apiVersionOf, type KubeObject, type Resource } from './objects.ts';
import {
  type KubeApi,
  KubeError,
  KubeUnreachable,
  type ListOptions,
  type WatchEnd,
  type WatchEvent,
} from './port.ts';

const CALL_TIMEOUT_MS = 10_000;
const WATCH_TIMEOUT_SECONDS = 300;

export interface KubeAccess {
  readonly server: string;
  readonly ca?: string | undefined;
  /** A client certificate and its key, where that is how one is known. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Asked before every call: tokens rotate. */
  readonly token?: (() => string) | undefined;
}

/** Access as a pod has it; `folder` is where the service account is mounted. */
export function podAccess(env: NodeJS.ProcessEnv, folder: string): KubeAccess {
  const server =
    env.KUBERNETES_SERVER ??
    `https://${env.KUBERNETES_SERVICE_HOST}:${env.KUBERNETES_SERVICE_PORT}`;
  const token = () => readFileSync(`${folder}/token`, 'utf8').trim();
  if (server.startsWith('http://'))
    return existsSync(`${folder}/token`) ? { server, token } : { server };
  return { server, ca: readFileSync(`${folder}/ca.crt`, 'utf8'), token };
}

export function resourcePath(
  resource: Resource,
  namespace: string | undefined,
  name?: string,
): string {
  const root = resource.group === '' ? '/api/v1' : `/apis/${apiVersionOf(resource)}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : '';
  return `${root}${scope}/${resource.plural}${name === undefined ? '' : `/${name}`}`;
}

function query(parameters: Record<string, string | undefined>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  return set.length === 0 ? '' : `?${new URLSearchParams(set as [string, string][])}`;
}

function errorFrom({ status, body }: HttpResponse): KubeError {
  try {
    const { reason, message } = JSON.parse(body) as { reason?: string; message?: string };
    return new KubeError(status, reason ?? 'Unknown', message ?? body);
  } catch {
    return new KubeError(status, 'Unknown', body);
  }
}

export class KubeClient implements KubeApi, Disposable {
  private readonly access: KubeAccess;
  private readonly http: HttpClient;

  constructor(access: KubeAccess) {
    this.access = access;
    this.http = new HttpClient({
      baseUrl: access.server,
      ca: access.ca,
      cert: access.cert,
      key: access.key,
    });
  }

  private headers(contentType?: string): Record<string, string> {
    const token = this.access.token?.();
    return {
      accept: 'application/json',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  private async call<T>(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<T> {
    let response: HttpResponse;
    try {
      response = await this.http.call({
        method,
        path,
        headers: this.headers(body === undefined ? undefined : contentType),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeoutMs: CALL_TIMEOUT_MS,
      });
    } catch (cause) {
      throw new KubeUnreachable(`${method} ${path}: ${(cause as Error).message}`, { cause });
    }
    if (response.status >= 200 && response.status < 300) return JSON.parse(response.body) as T;
    // 429 and 5xx say nothing about the object: the caller may try again.
    if (response.status === 429 || response.status >= 500)
      throw new KubeUnreachable(errorFrom(response).message);
    throw errorFrom(response);
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
  ): Promise<T | null> {
    try {
      return await this.call<T>('GET', resourcePath(resource, namespace, name));
    } catch (cause) {
      if (cause instanceof KubeError && cause.status === 404) return null;
      throw cause;
    }
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, labelSelector }: ListOptions,
  ) {
    const path = resourcePath(resource, namespace) + query({ labelSelector });
    const list = await this.call<{ items: T[]; metadata: { resourceVersion: string } }>(
      'GET',
      path,
    );
    // The items of a list carry no type of their own.
    const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    return {
      items: list.items.map((item) => ({ ...item, ...type })),
      resourceVersion: list.metadata.resourceVersion,
    };
  }

  watch<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, labelSelector, resourceVersion }: ListOptions & { resourceVersion: string },
    onEvent: (event: WatchEvent<T>) => void,
  ) {
    const abort = new AbortController();
    const path =
      resourcePath(resource, namespace) +
      query({
        watch: 'true',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(WATCH_TIMEOUT_SECONDS),
        labelSelector,
        resourceVersion,
      });
    return {
      ended: this.follow(path, abort.signal, onEvent),
      [Symbol.dispose]: () => abort.abort(),
    };
  }

  private async follow<T extends KubeObject>(
    path: string,
    signal: AbortSignal,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<WatchEnd> {
    try {
      const request = { method: 'GET', path, headers: this.headers(), timeoutMs: CALL_TIMEOUT_MS };
      const { status, lines } = await this.http.stream(request, signal);
      if (status === 410) return 'expired';
      if (status !== 200) return 'closed';
      for await (const line of lines) {
        const event = JSON.parse(line) as { type: string; object: T & { code?: number } };
        if (event.type === 'ERROR') return event.object.code === 410 ? 'expired' : 'closed';
        if (event.type === 'BOOKMARK') {
          onEvent({
            type: 'BOOKMARK',
            resourceVersion: event.object.metadata.resourceVersion ?? '',
          });
        } else {
          onEvent(event as WatchEvent<T>);
        }
      }
    } catch (cause) {
      expectNoBug('watching', cause);
      // The connection broke or was never made: the caller looks again.
    }
    return 'closed';
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.call('POST', resourcePath(resource, object.metadata.namespace), object);
  }

  /** Posts to a subresource, such as a pod's binding or a service account's token. */
  act<R>(
    resource: Resource,
    of: { namespace: string; name: string; subresource: string },
    body: object,
  ): Promise<R> {
    const path = `${resourcePath(resource, of.namespace, of.name)}/${of.subresource}`;
    return this.call('POST', path, body);
  }

  replace<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
    return this.call(
      'PUT',
      resourcePath(resource, object.metadata.namespace, object.metadata.name),
      object,
    );
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    of: { namespace: string; name: string; subresource?: 'status' },
    patch: unknown,
  ): Promise<T> {
    const path =
      resourcePath(resource, of.namespace, of.name) + (of.subresource ? `/${of.subresource}` : '');
    return this.call('PATCH', path, patch, 'application/merge-patch+json');
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { fieldManager: string; subresource?: 'status' },
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const path =
      resourcePath(resource, namespace, name) +
      (options.subresource ? `/${options.subresource}` : '');
    return this.call(
      'PATCH',
      path + query({ fieldManager: options.fieldManager, force: 'true' }),
      object,
      'application/apply-patch+yaml',
    );
  }

  async delete(
    resource: Resource,
    namespace: string,
    name: string,
    options: { uid?: string; gracePeriodSeconds?: number } = {},
  ): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
      ...(options.gracePeriodSeconds === undefined
        ? {}
        : { gracePeriodSeconds: options.gracePeriodSeconds }),
    };
    await this.call('DELETE', resourcePath(resource, namespace, name), body);
  }

  [Symbol.dispose](): void {
    this.http[Symbol.dispose]();
  }
}
