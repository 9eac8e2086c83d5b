/** The brokers' pods and their volumes. Pure. */
import { annotations, type KafkaCluster } from '../../../kube/kafka-objects.ts';
import type { Container, PodSpec, StatefulSet } from '../../../kube/objects.ts';
import { statefulSets } from '../../../kube/objects.ts';
import { certificateSecretName, peerSecretName, usesTls } from '../certificates-core.ts';
import { PEER_TLS_VARIABLE, type PeerTls } from '../peer-tls-core.ts';
import { brokerResources, memoryEnv } from './memory.ts';
import {
  ADMIN_PORT,
  brokersName,
  type Desired,
  headlessName,
  kafkaPort,
  labels,
  listenersOf,
  object,
  REPLICATION_PORT,
  selectorLabels,
} from './names.ts';

export interface OperatorDefaults {
  /** The image of brokers whose cluster names none. */
  readonly image: string;
  /** False where pods cannot be found by name: brokers then tell clients their addresses. */
  readonly clusterDns: boolean;
  readonly brokerLogFormat: string;
  /** Whether the operator may read nodes, and so can tell brokers their rack. */
  readonly knowsNodes: boolean;
}

const DATA_PATH = '/var/lib/tenure';
const TLS_PATH = '/etc/tenure/tls';
const PEER_TLS_PATH = '/etc/tenure/peer-tls';
const GRACE_SECONDS = 60;

/**
 * Memory that a broker does not need for long goes back to the system: one arena, large buffers of their
 * own, and a young generation so small that it is collected often. What gRPC and sockets allocate is
 * let go with it; otherwise V8 collects everything for their sake, ten times a second under replication
 * (measured with three replicas: half the CPU and 300 MiB less in three brokers).
 */
const NODE_OPTIONS = '--max-semi-space-size=1 --disable-warning=ExperimentalWarning';
const FRUGALITY = [
  { name: 'MALLOC_ARENA_MAX', value: '1' },
  { name: 'MALLOC_TRIM_THRESHOLD_', value: '4194304' },
  { name: 'MALLOC_MMAP_THRESHOLD_', value: '524288' },
];

/**
 * A process that is late is not dead, and where the machine has too much to do all of them are late. Only a
 * loop that stood still for minutes is restarted; a broker whose disk fails ends by itself. A start that
 * has to read all that is on the volumes takes its time.
 */
const PROBES = {
  readinessProbe: {
    httpGet: { path: '/readyz', port: ADMIN_PORT },
    periodSeconds: 2,
    timeoutSeconds: 10,
    failureThreshold: 3,
  },
  livenessProbe: {
    httpGet: { path: '/livez', port: ADMIN_PORT },
    periodSeconds: 30,
    timeoutSeconds: 30,
    failureThreshold: 10,
  },
  startupProbe: {
    httpGet: { path: '/readyz', port: ADMIN_PORT },
    periodSeconds: 1,
    timeoutSeconds: 10,
    failureThreshold: 14_400,
  },
};

/** The volumes for records, each a log directory. */
function dataVolumes({ spec }: KafkaCluster): { name: string; mountPath: string }[] {
  const more = Array.from({ length: (spec.storage?.volumes ?? 1) - 1 }, (_, i) => ({
    name: `data-${i + 1}`,
    mountPath: `${DATA_PATH}-${i + 1}`,
  }));
  return [{ name: 'data', mountPath: DATA_PATH }, ...more];
}

function container(cluster: KafkaCluster, defaults: OperatorDefaults, peerTls: PeerTls): Container {
  const listeners = listenersOf(cluster);
  const field = (name: string, fieldPath: string) => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  const advertised = defaults.clusterDns
    ? `$(POD_NAME).${headlessName(cluster)}.$(POD_NAMESPACE).svc`
    : '$(POD_IP)';
  const { rack } = cluster.spec;
  return {
    name: 'broker',
    image: cluster.spec.image ?? defaults.image,
    command: ['tenure', 'broker'],
    env: [
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      field('POD_IP', 'status.podIP'),
      field('POD_UID', 'metadata.uid'),
      { name: 'TENURE_CLUSTER', value: cluster.metadata.name },
      { name: 'TENURE_BIND_HOST', value: defaults.clusterDns ? '0.0.0.0' : '$(POD_IP)' },
      { name: 'TENURE_ADVERTISED_HOST', value: advertised },
      { name: 'TENURE_KAFKA_PORT', value: String(kafkaPort(cluster)) },
      {
        name: 'TENURE_LISTENERS',
        value: JSON.stringify(
          listeners.map(({ name, port, tls }) => ({ name, port, ...(tls ? { tls } : {}) })),
        ),
      },
      { name: 'TENURE_REPLICATION_PORT', value: String(REPLICATION_PORT) },
      { name: 'TENURE_ADMIN_PORT', value: String(ADMIN_PORT) },
      {
        name: 'TENURE_DATA_DIR',
        value: dataVolumes(cluster)
          .map(({ mountPath }) => `${mountPath}/data`)
          .join(','),
      },
      ...(usesTls(cluster) ? [{ name: 'TENURE_TLS_DIR', value: TLS_PATH }] : []),
      ...(peerTls === 'none'
        ? []
        : [
            { name: 'TENURE_PEER_TLS_DIR', value: PEER_TLS_PATH },
            { name: PEER_TLS_VARIABLE, value: peerTls },
          ]),
      { name: 'TENURE_LOG_FORMAT', value: defaults.brokerLogFormat },
      ...memoryEnv(cluster, NODE_OPTIONS),
      ...FRUGALITY,
      ...(rack === undefined || !defaults.knowsNodes
        ? []
        : [{ name: 'TENURE_RACK_FROM', value: annotations.rack }]),
    ],
    ports: [
      ...listeners.map(({ name, port }, i) => ({
        name: i === 0 ? 'kafka' : `kafka-${name}`.slice(0, 15),
        containerPort: port,
      })),
      { name: 'replication', containerPort: REPLICATION_PORT },
      { name: 'metrics', containerPort: ADMIN_PORT },
    ],
    volumeMounts: [
      ...dataVolumes(cluster),
      ...(usesTls(cluster) ? [{ name: 'tls', mountPath: TLS_PATH, readOnly: true }] : []),
      ...(peerTls === 'none'
        ? []
        : [{ name: 'peer-tls', mountPath: PEER_TLS_PATH, readOnly: true }]),
    ],
    ...PROBES,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    resources: brokerResources(cluster),
  };
}

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Lists whose elements have a name are merged by it, other lists replaced, objects merged. */
export function mergeTemplate(base: unknown, over: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(over)) {
    const named = (list: readonly unknown[]) =>
      list.every((item) => isTree(item) && typeof item.name === 'string');
    if (!named(base) || !named(over)) return over;
    const out = [...(base as Tree[])];
    for (const item of over as Tree[]) {
      const at = out.findIndex(({ name }) => name === item.name);
      if (at < 0) out.push(item);
      else out[at] = mergeTemplate(out[at], item) as Tree;
    }
    return out;
  }
  if (!isTree(base) || !isTree(over)) return over;
  const out: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over))
    out[name] = name in out ? mergeTemplate(out[name], value) : value;
  return out;
}

function podSpec(cluster: KafkaCluster, defaults: OperatorDefaults, peerTls: PeerTls): PodSpec {
  const { rack, storage } = cluster.spec;
  const spread = (topologyKey: string) => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorLabels(cluster) },
  });
  const hostname = 'kubernetes.io/hostname';
  const keys = rack === undefined ? [hostname] : [rack.topologyKey, hostname];
  const isEphemeral = storage === undefined || storage.type === 'ephemeral';
  const secret = (secretName: string) => ({ secret: { secretName, defaultMode: 0o440 } });
  const volumes = [
    ...(isEphemeral ? dataVolumes(cluster).map(({ name }) => ({ name, emptyDir: {} })) : []),
    ...(usesTls(cluster) ? [{ name: 'tls', ...secret(certificateSecretName(cluster)) }] : []),
    ...(peerTls === 'none' ? [] : [{ name: 'peer-tls', ...secret(peerSecretName(cluster)) }]),
  ];
  return {
    serviceAccountName: brokersName(cluster),
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: [...new Set(keys)].map(spread),
    containers: [
      mergeTemplate(
        container(cluster, defaults, peerTls),
        cluster.spec.template?.broker ?? {},
      ) as unknown as Container,
    ],
    ...(volumes.length === 0 ? {} : { volumes }),
  };
}

/** The claims of each broker; what a StatefulSet was made with cannot be changed, claims themselves can. */
function claims(cluster: KafkaCluster, live: StatefulSet | null): object {
  const { storage } = cluster.spec;
  if (storage?.type !== 'persistent-claim') return {};
  const made = live?.spec.volumeClaimTemplates?.[0]?.spec as
    | { resources?: { requests?: { storage?: string } } }
    | undefined;
  const size = made?.resources?.requests?.storage ?? storage.size ?? '1Gi';
  const spec = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: size } },
    ...(storage.class === undefined ? {} : { storageClassName: storage.class }),
  };
  return {
    volumeClaimTemplates: dataVolumes(cluster).map(({ name }) => ({
      metadata: { name, labels: selectorLabels(cluster) },
      spec,
    })),
  };
}

export function statefulSet(
  cluster: KafkaCluster,
  defaults: OperatorDefaults,
  of: { replicas: number; live: StatefulSet | null; peerTls: PeerTls },
): Desired {
  const { metadata: podMetadata, ...podOverrides } = (cluster.spec.template?.pod ?? {}) as {
    metadata?: { labels?: object; annotations?: object };
  };
  const restart = cluster.metadata.annotations?.[annotations.restart];
  const podAnnotations = {
    ...podMetadata?.annotations,
    ...(restart === undefined ? {} : { [annotations.restart]: restart }),
  };
  return object(
    cluster,
    { resource: statefulSets, name: brokersName(cluster) },
    {
      spec: {
        serviceName: headlessName(cluster),
        replicas: of.replicas,
        podManagementPolicy: 'Parallel',
        // The operator orders restarts itself: it asks first what would break.
        updateStrategy: { type: 'OnDelete' },
        selector: { matchLabels: selectorLabels(cluster) },
        persistentVolumeClaimRetentionPolicy: {
          whenDeleted: cluster.spec.storage?.deleteClaim ? 'Delete' : 'Retain',
          whenScaled: 'Retain',
        },
        template: {
          metadata: {
            labels: { ...podMetadata?.labels, ...labels(cluster) },
            ...(Object.keys(podAnnotations).length === 0 ? {} : { annotations: podAnnotations }),
          },
          spec: mergeTemplate(podSpec(cluster, defaults, of.peerTls), podOverrides),
        },
        ...claims(cluster, of.live),
      },
    },
  );
}
