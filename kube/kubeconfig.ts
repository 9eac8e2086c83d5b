/** Access to the API as a user's kubeconfig gives it, in all of its forms. Loads the full client: not for brokers. */
import { KubeConfig } from '@kubernetes/client-node';
import type { KubeAccess } from './client.ts';

export interface UserAccess {
  readonly access: KubeAccess;
  /** Of the context; `default` where it names none. */
  readonly namespace: string;
}

/** @throws Error with a sentence where no cluster is configured. */
export async function kubeconfigAccess(context?: string): Promise<UserAccess> {
  const config = new KubeConfig();
  config.loadFromDefault();
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new Error('no cluster is configured: set KUBECONFIG, or run in a pod');
  const options: {
    ca?: string | Buffer;
    cert?: string | Buffer;
    key?: string | Buffer;
    headers?: Record<string, string>;
  } = {};
  // Without TLS nothing is shown that anybody on the way could take.
  if (cluster.server.startsWith('https:')) await config.applyToHTTPSOptions(options as never);
  const bearer = options.headers?.Authorization?.replace(/^Bearer /, '');
  const text = (value: string | Buffer | undefined) =>
    value === undefined ? undefined : value.toString();
  return {
    access: {
      server: cluster.server,
      ca: text(options.ca),
      cert: text(options.cert),
      key: text(options.key),
      ...(bearer === undefined ? {} : { token: () => bearer }),
    },
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
  };
}
