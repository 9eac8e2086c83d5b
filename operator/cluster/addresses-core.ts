/** Where listeners are reached from outside: ports of nodes, load balancers, or what people say. Pure. */
import type {
  BrokerAddress,
  KafkaCluster,
  ListenerSpec,
  ListenerStatus,
} from '../../kube/kafka-objects.ts';
import type { Node, Pod } from '../../kube/objects.ts';
import {
  bootstrapName,
  isExternal,
  listenerBootstrapName,
  listenerBrokerName,
  listenersOf,
} from './desired/names.ts';
import { type Observed, ordinalOf } from './observed.ts';

function nodeAddress(node: Node | undefined): string | null {
  const of = (type: string) => node?.status?.addresses?.find((one) => one.type === type)?.address;
  return of('ExternalIP') ?? of('InternalIP') ?? null;
}

function found(
  observed: Observed,
  listener: ListenerSpec,
  pod: Pod,
): { host: string | null; port: number | null } {
  const name = listenerBrokerName(observed.cluster, listener.name, ordinalOf(pod));
  const service = observed.services.find(({ metadata }) => metadata.name === name);
  if (listener.type === 'nodeport') {
    const host = nodeAddress(observed.nodes.get(pod.spec.nodeName ?? ''));
    return { host, port: service?.spec.ports?.[0]?.nodePort ?? null };
  }
  const ingress = service?.status?.loadBalancer?.ingress?.[0];
  return { host: ingress?.hostname ?? ingress?.ip ?? null, port: listener.port };
}

function brokersOf(observed: Observed, listener: ListenerSpec): BrokerAddress[] {
  return [...observed.pods]
    .sort((a, b) => ordinalOf(a) - ordinalOf(b))
    .flatMap((pod) => {
      const id = ordinalOf(pod);
      const said = listener.brokers?.find((one) => one.id === id);
      const seen = found(observed, listener, pod);
      const host = said?.advertisedHost ?? seen.host;
      const port = said?.advertisedPort ?? seen.port;
      return host === null || port === null ? [] : [{ id, host, port }];
    });
}

function overridden({ brokers }: ListenerSpec): boolean {
  return brokers?.some((one) => one.advertisedHost ?? one.advertisedPort) === true;
}

/** A listener inside the cluster is named by its Service; brokers give their own names there. */
function internal(cluster: KafkaCluster, listener: ListenerSpec): ListenerStatus {
  const { name, type, port } = listener;
  const host = `${bootstrapName(cluster)}.${cluster.metadata.namespace}.svc`;
  return { name, type, bootstrapServers: `${host}:${port}` };
}

export function listenerStatuses(observed: Observed): ListenerStatus[] {
  const { cluster, services } = observed;
  return listenersOf(cluster).map((listener): ListenerStatus => {
    const { name, type, port } = listener;
    if (!isExternal(listener)) {
      if (!overridden(listener)) return internal(cluster, listener);
      const said = (listener.brokers ?? []).flatMap(({ id, advertisedHost, advertisedPort }) =>
        advertisedHost === undefined
          ? []
          : [{ id, host: advertisedHost, port: advertisedPort ?? port }],
      );
      return { ...internal(cluster, listener), brokers: said };
    }
    const brokers = brokersOf(observed, listener);
    const bootstrap = services.find(
      ({ metadata }) => metadata.name === listenerBootstrapName(cluster, name),
    );
    const ingress = bootstrap?.status?.loadBalancer?.ingress?.[0];
    const balanced = ingress?.hostname ?? ingress?.ip;
    const bootstrapServers =
      type === 'loadbalancer' && balanced !== undefined
        ? `${balanced}:${port}`
        : brokers.map((one) => `${one.host}:${one.port}`).join(',');
    return { name, type, bootstrapServers, brokers };
  });
}
