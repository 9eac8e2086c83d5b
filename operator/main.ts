/** The operator's process: credentials, ports, start and stop. */

import { type KubeAccess, KubeClient, podAccess } from '../kube/client.ts';
import { fatal, setFate } from '../stdx/bug.ts';
import { systemChance } from '../stdx/chance.ts';
import { systemClock } from '../stdx/clock.ts';
import { createLogger } from '../stdx/logger.ts';
import { VERSION } from '../stdx/version.ts';
import { Operator } from './operator.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** In a pod the service account; elsewhere whatever the user's kubeconfig says. */
async function access(): Promise<KubeAccess> {
  if (process.env.KUBERNETES_SERVER || process.env.KUBERNETES_SERVICE_HOST)
    return podAccess(process.env, process.env.TENURE_SERVICE_ACCOUNT_DIR ?? SERVICE_ACCOUNT);
  const { kubeconfigAccess } = await import('../kube/kubeconfig.ts');
  return (await kubeconfigAccess()).access;
}

export async function main(): Promise<void> {
  const { env } = process;
  const logger = createLogger({
    level: env.TENURE_LOG_LEVEL ?? 'info',
    format: env.TENURE_LOG_FORMAT === 'text' ? 'text' : 'json',
    fields: { component: 'operator' },
  });
  setFate((doing, cause) => {
    logger.error('a bug ends this process', { doing, cause });
    process.exit(1);
  });
  process.on('unhandledRejection', (cause) => fatal('a promise that nobody awaited', cause));
  process.on('uncaughtException', (cause) => fatal('handling an event', cause));
  const operator = new Operator({
    api: new KubeClient(await access()),
    clock: systemClock,
    chance: systemChance,
    logger,
    defaults: {
      image: env.TENURE_BROKER_IMAGE ?? `tenure:${VERSION}`,
      clusterDns: env.TENURE_CLUSTER_DNS !== 'none',
      brokerLogFormat: env.TENURE_BROKER_LOG_FORMAT ?? 'json',
      knowsNodes: env.TENURE_WATCH_NODES !== 'false',
    },
    bootstrapShown: null,
    namespace: env.TENURE_WATCH_NAMESPACE ?? '',
    watchNodes: env.TENURE_WATCH_NODES !== 'false',
    election:
      env.POD_NAMESPACE === undefined
        ? null
        : {
            namespace: env.POD_NAMESPACE,
            name: env.TENURE_ELECTION_LEASE ?? 'tenure-operator',
            identity: env.POD_NAME ?? systemChance.uuid(),
          },
    // Whatever is half done, the new leader does: nothing is left in this process.
    onLost: () => process.exit(1),
    admin: { host: env.TENURE_BIND_HOST ?? '0.0.0.0', port: Number(env.TENURE_ADMIN_PORT ?? 9405) },
  });
  const stop = () => {
    void operator[Symbol.asyncDispose]().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await operator.start();
}

main().catch((cause: unknown) => {
  process.stderr.write(`operator: ${(cause as Error).message}\n`);
  process.exit(1);
});
