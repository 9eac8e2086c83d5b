/** `kubectl tenure …`: what the owner of a cluster asks and does, through the Kubernetes API alone. */
import { Command } from 'commander';
import { KubeClient } from '../kube/client.ts';
import {
  annotations,
  CLUSTER_LABEL,
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../kube/kafka-objects.ts';
import { kubeconfigAccess } from '../kube/kubeconfig.ts';
import { pods } from '../kube/objects.ts';
import { parsePage } from '../kube/partition-line.ts';
import { isKubeError } from '../kube/port.ts';
import { type ClusterFacts, findings, planLines, statusLines } from './kubectl-core.ts';

interface Options {
  readonly namespace?: string;
  readonly context?: string;
}

interface Session {
  readonly api: KubeClient;
  readonly namespace: string;
}

const say = (lines: readonly string[]): void => {
  process.stdout.write(`${lines.join('\n')}\n`);
};

async function within(options: Options, run: (session: Session) => Promise<void>): Promise<void> {
  const { access, namespace } = await kubeconfigAccess(options.context);
  using api = new KubeClient(access);
  await run({ api, namespace: options.namespace ?? namespace });
}

/** The named cluster, or the only one. @throws Error with a sentence. */
async function find({ api, namespace }: Session, name?: string): Promise<KafkaCluster> {
  const { items } = await api.list(kafkaClusters, { namespace });
  const found = name === undefined ? items : items.filter(({ metadata }) => metadata.name === name);
  const names = items.map(({ metadata }) => metadata.name).join(', ');
  if (found.length === 1) return found[0] as KafkaCluster;
  if (items.length === 0) throw new Error(`there is no KafkaCluster in namespace ${namespace}`);
  if (name === undefined) throw new Error(`there are several clusters, name one: ${names}`);
  throw new Error(`there is no KafkaCluster ${name} in namespace ${namespace}, but ${names}`);
}

async function factsOf({ api, namespace }: Session, cluster: KafkaCluster): Promise<ClusterFacts> {
  const { name } = cluster.metadata;
  const own = { namespace, labelSelector: `${CLUSTER_LABEL}=${name}` };
  const [brokers, pages, running, topics] = await Promise.all([
    api.list(kafkaBrokers, own),
    api.list(kafkaPartitionMaps, own),
    api.list(pods, own),
    api.list(kafkaTopics, { namespace }),
  ]);
  return {
    cluster,
    brokers: brokers.items,
    pods: running.items,
    lines: pages.items.flatMap(({ spec }) => parsePage(spec.partitions)),
    topics: topics.items.filter(({ spec }) => spec.clusterRef.name === name),
  };
}

async function patch({ api, namespace }: Session, name: string, change: object): Promise<void> {
  await api.patch(kafkaClusters, { namespace, name }, change);
}

const annotate = (session: Session, name: string, key: string, value: string) =>
  patch(session, name, { metadata: { annotations: { [key]: value } } });

function brokerId(text: string): number {
  const id = Number(text);
  if (!Number.isInteger(id) || id < 0)
    throw new Error(`a broker is named by its id, not by "${text}"`);
  return id;
}

async function restart(session: Session, cluster: KafkaCluster, broker?: string): Promise<void> {
  const { name } = cluster.metadata;
  const at = new Date().toISOString();
  if (broker === undefined) {
    await annotate(session, name, annotations.restart, at);
    return say([`every broker of ${name} will be restarted: kubectl tenure plan ${name}`]);
  }
  const pod = `${name}-broker-${brokerId(broker)}`;
  await session.api.patch(
    pods,
    { namespace: session.namespace, name: pod },
    { metadata: { annotations: { [annotations.restart]: at } } },
  );
  say([`${pod} will be restarted as soon as no partition is harmed by it`]);
}

async function drain(
  session: Session,
  cluster: KafkaCluster,
  broker: string,
  undo: boolean,
): Promise<void> {
  const id = brokerId(broker);
  const { name } = cluster.metadata;
  const others = (cluster.spec.drainBrokers ?? []).filter((one) => one !== id);
  const drainBrokers = undo ? others : [...others, id];
  await patch(session, name, {
    spec: { drainBrokers: drainBrokers.length === 0 ? null : drainBrokers },
  });
  say([
    undo
      ? `broker ${id} may hold replicas again`
      : `broker ${id} is being emptied: kubectl tenure status ${name}`,
  ]);
}

function program(): Command {
  const command = new Command('kubectl tenure')
    .description('Clusters of Tenure, as their owners look after them')
    .option('-n, --namespace <namespace>', 'namespace of the cluster')
    .option('--context <context>', 'context of the kubeconfig');
  const on =
    (run: (session: Session, cluster: KafkaCluster) => Promise<void>) =>
    async (name: string | undefined) =>
      within(command.opts<Options>(), async (session) => run(session, await find(session, name)));
  command
    .command('status [cluster]')
    .description('conditions, brokers, partitions and the last restarts')
    .action(on(async (session, cluster) => say(statusLines(await factsOf(session, cluster)))));
  command
    .command('plan [cluster]')
    .description('restarts that are due, why, and what they wait for')
    .action(on(async (_, cluster) => say(planLines(cluster))));
  command
    .command('approve [cluster]')
    .description('lets the plan that is shown begin, where spec.updatePolicy is Plan')
    .action(
      on(async (session, cluster) => {
        const { planId } = cluster.status ?? {};
        if (planId === undefined) return say(['there is no plan to approve of']);
        await annotate(session, cluster.metadata.name, annotations.approve, planId);
        say([`plan ${planId} is approved of`]);
      }),
    );
  command
    .command('restart <cluster> [broker]')
    .description('restarts all brokers, or one, in good order')
    .action((name: string, broker?: string) =>
      on((session, cluster) => restart(session, cluster, broker))(name),
    );
  command
    .command('drain <cluster> <broker>')
    .description('moves every replica off a broker; --undo lets it hold replicas again')
    .option('--undo', 'lets it hold replicas again', false)
    .action((name: string, broker: string, { undo }: { undo: boolean }) =>
      on((session, cluster) => drain(session, cluster, broker, undo))(name),
    );
  command
    .command('doctor [cluster]')
    .description('what is wrong or will be, and what to do about it; exits with 1 if anything is')
    .action(
      on(async (session, cluster) => {
        const found = findings(await factsOf(session, cluster), new Date().toISOString());
        say(found.length === 0 ? ['nothing is wrong'] : found.map((one) => `- ${one}`));
        if (found.length > 0) process.exitCode = 1;
      }),
    );
  return command;
}

try {
  await program().parseAsync();
} catch (cause) {
  const { message } = cause as Error;
  process.stderr.write(`${isKubeError(cause, 403) ? 'not allowed: ' : ''}${message}\n`);
  process.exitCode = 1;
}
