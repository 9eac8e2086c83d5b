/** How brokers are reached: inside the cluster, through ports of nodes, through load balancers. Pure. */
import type { KafkaCluster, ListenerSpec } from '../../../kube/kafka-objects.ts';
import { configMaps, services } from '../../../kube/objects.ts';
import {
  ADMIN_PORT,
  bootstrapName,
  type Desired,
  headlessName,
  isExternal,
  LISTENER_LABEL,
  listenerBootstrapName,
  listenerBrokerName,
  listenersOf,
  object,
  podName,
  REPLICATION_PORT,
  selectorLabels,
} from './names.ts';

interface Port {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number;
  readonly protocol: 'TCP';
  readonly nodePort?: number;
}

const portOf = (name: string, port: number): Port => ({
  name,
  port,
  targetPort: port,
  protocol: 'TCP',
});

/** A listener's port goes by the name kafka where it is the only one. */
function listenerPorts(listeners: readonly ListenerSpec[]): Port[] {
  return listeners.map(({ name, port }, i) => portOf(i === 0 ? 'kafka' : `kafka-${name}`, port));
}

export function networkServices(cluster: KafkaCluster, replicas: number): Desired[] {
  const all = listenersOf(cluster);
  const internal = all.filter((one) => !isExternal(one));
  const selector = selectorLabels(cluster);
  return [
    object(
      cluster,
      { resource: services, name: headlessName(cluster) },
      {
        spec: {
          clusterIP: 'None',
          // Brokers find each other before they are ready; readiness is for clients.
          publishNotReadyAddresses: true,
          selector,
          ports: [
            ...listenerPorts(all),
            portOf('replication', REPLICATION_PORT),
            portOf('metrics', ADMIN_PORT),
          ],
        },
      },
    ),
    object(
      cluster,
      { resource: services, name: bootstrapName(cluster) },
      {
        spec: {
          type: 'ClusterIP',
          selector,
          ports: listenerPorts(internal.length > 0 ? internal : all),
        },
      },
    ),
    ...all.filter(isExternal).flatMap((one) => externalServices(cluster, one, replicas)),
  ];
}

/** One Service to begin with, and one for each broker: a client must reach the broker that leads. */
function externalServices(cluster: KafkaCluster, of: ListenerSpec, replicas: number): Desired[] {
  const type = of.type === 'nodeport' ? 'NodePort' : 'LoadBalancer';
  const common = { labels: { [LISTENER_LABEL]: of.name }, annotations: of.annotations };
  const port = portOf('kafka', of.port);
  const bootstrap = object(
    cluster,
    { resource: services, name: listenerBootstrapName(cluster, of.name), ...common },
    { spec: { type, selector: selectorLabels(cluster), ports: [port] } },
  );
  const brokers = Array.from({ length: replicas }, (_, id) => {
    const nodePort = of.brokers?.find((one) => one.id === id)?.nodePort;
    return object(
      cluster,
      { resource: services, name: listenerBrokerName(cluster, of.name, id), ...common },
      {
        spec: {
          type,
          // The node where the broker runs is the one that clients are told.
          ...(type === 'NodePort' ? { externalTrafficPolicy: 'Local' } : {}),
          publishNotReadyAddresses: true,
          selector: { 'statefulset.kubernetes.io/pod-name': podName(cluster, id) },
          ports: [nodePort === undefined ? port : { ...port, nodePort }],
        },
      },
    );
  });
  return [bootstrap, ...brokers];
}

/** For applications: where to connect, to be taken as environment or file. */
export function clientConfig(cluster: KafkaCluster, bootstrapServers: string): Desired {
  return object(
    cluster,
    { resource: configMaps, name: `${cluster.metadata.name}-client` },
    {
      data: {
        'bootstrap.servers': bootstrapServers,
        'client.properties': `bootstrap.servers=${bootstrapServers}\n`,
      },
    },
  );
}
