/** The Kubernetes objects that a KafkaCluster calls for. Pure: the same cluster gives the same objects. */
import { API_VERSION, CLUSTER_LABEL, GROUP, type KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Container, KubeObject, OwnerReference, Resource } from '../../kube/objects.ts';
import { services, statefulSets } from '../../kube/objects.ts';

export interface OperatorDefaults {
  /** The image of brokers whose cluster names none. */
  readonly image: string;
  /** False where pods cannot be found by name: brokers then tell clients their addresses. */
  readonly clusterDns: boolean;
  readonly brokerLogFormat: string;
}

export interface Desired {
  readonly resource: Resource;
  readonly object: KubeObject;
}

export const KAFKA_PORT = 9092;
export const REPLICATION_PORT = 9091;
export const ADMIN_PORT = 9404;
const DATA_PATH = '/var/lib/tenure';
const GRACE_SECONDS = 60;

const resource = (group: string, kind: string, plural: string): Resource => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});
const serviceAccounts = resource('', 'ServiceAccount', 'serviceaccounts');
const roles = resource('rbac.authorization.k8s.io', 'Role', 'roles');
const roleBindings = resource('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings');
const budgets = resource('policy', 'PodDisruptionBudget', 'poddisruptionbudgets');
const networkPolicies = resource('networking.k8s.io', 'NetworkPolicy', 'networkpolicies');

export function brokersName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-broker`;
}
export function headlessName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-brokers`;
}
export function bootstrapName({ metadata }: KafkaCluster): string {
  return `${metadata.name}-bootstrap`;
}
export function kafkaPort({ spec }: KafkaCluster): number {
  return spec.listeners?.[0]?.port ?? KAFKA_PORT;
}

export function selectorLabels({ metadata }: KafkaCluster): Record<string, string> {
  return { [CLUSTER_LABEL]: metadata.name, 'app.kubernetes.io/component': 'broker' };
}

function labels(cluster: KafkaCluster): Record<string, string> {
  return {
    ...selectorLabels(cluster),
    'app.kubernetes.io/name': 'kafka',
    'app.kubernetes.io/instance': cluster.metadata.name,
    'app.kubernetes.io/managed-by': 'tenure',
  };
}

function owner({ metadata }: KafkaCluster): OwnerReference {
  return {
    apiVersion: API_VERSION,
    kind: 'KafkaCluster',
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

function object(
  cluster: KafkaCluster,
  apiVersion: string,
  kind: string,
  name: string,
  body: object,
): KubeObject {
  const { namespace = 'default' } = cluster.metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels: labels(cluster), ownerReferences: [owner(cluster)] },
    ...body,
  } as KubeObject;
}

function container(cluster: KafkaCluster, defaults: OperatorDefaults): Container {
  const port = kafkaPort(cluster);
  const field = (name: string, fieldPath: string) => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  const advertised = defaults.clusterDns
    ? `$(POD_NAME).${headlessName(cluster)}.$(POD_NAMESPACE).svc`
    : '$(POD_IP)';
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
      { name: 'TENURE_KAFKA_PORT', value: String(port) },
      { name: 'TENURE_REPLICATION_PORT', value: String(REPLICATION_PORT) },
      { name: 'TENURE_ADMIN_PORT', value: String(ADMIN_PORT) },
      { name: 'TENURE_DATA_DIR', value: `${DATA_PATH}/data` },
      { name: 'TENURE_LOG_FORMAT', value: defaults.brokerLogFormat },
    ],
    ports: [
      { name: 'kafka', containerPort: port },
      { name: 'replication', containerPort: REPLICATION_PORT },
      { name: 'metrics', containerPort: ADMIN_PORT },
    ],
    volumeMounts: [{ name: 'data', mountPath: DATA_PATH }],
    readinessProbe: {
      httpGet: { path: '/readyz', port: ADMIN_PORT },
      periodSeconds: 2,
      failureThreshold: 2,
    },
    livenessProbe: {
      httpGet: { path: '/livez', port: ADMIN_PORT },
      periodSeconds: 10,
      failureThreshold: 3,
    },
    startupProbe: {
      httpGet: { path: '/readyz', port: ADMIN_PORT },
      periodSeconds: 1,
      failureThreshold: 600,
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    ...(cluster.spec.resources === undefined ? {} : { resources: cluster.spec.resources }),
  };
}

function statefulSet(cluster: KafkaCluster, defaults: OperatorDefaults, replicas: number): Desired {
  const { storage } = cluster.spec;
  const ephemeral = storage === undefined || storage.type === 'ephemeral';
  const podOverrides = (cluster.spec.template?.pod ?? {}) as Record<string, unknown>;
  const claim = {
    metadata: { name: 'data', labels: selectorLabels(cluster) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: storage?.size ?? '1Gi' } },
      ...(storage?.class === undefined ? {} : { storageClassName: storage.class }),
    },
  };
  return {
    resource: statefulSets,
    object: object(cluster, 'apps/v1', 'StatefulSet', brokersName(cluster), {
      spec: {
        serviceName: headlessName(cluster),
        replicas,
        podManagementPolicy: 'Parallel',
        // The operator orders restarts itself: it asks first what would break.
        updateStrategy: { type: 'OnDelete' },
        selector: { matchLabels: selectorLabels(cluster) },
        persistentVolumeClaimRetentionPolicy: {
          whenDeleted: storage?.deleteClaim ? 'Delete' : 'Retain',
          whenScaled: 'Retain',
        },
        template: {
          metadata: { labels: labels(cluster) },
          spec: {
            serviceAccountName: brokersName(cluster),
            terminationGracePeriodSeconds: GRACE_SECONDS,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              runAsGroup: 1000,
              fsGroup: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [container(cluster, defaults)],
            ...(ephemeral ? { volumes: [{ name: 'data', emptyDir: {} }] } : {}),
            ...podOverrides,
          },
        },
        ...(ephemeral ? {} : { volumeClaimTemplates: [claim] }),
      },
    }),
  };
}

function networkServices(cluster: KafkaCluster): Desired[] {
  const port = kafkaPort(cluster);
  const ports = [{ name: 'kafka', port, targetPort: port, protocol: 'TCP' }];
  const selector = selectorLabels(cluster);
  return [
    {
      resource: services,
      object: object(cluster, 'v1', 'Service', headlessName(cluster), {
        spec: {
          clusterIP: 'None',
          // Brokers find each other before they are ready; readiness is for clients.
          publishNotReadyAddresses: true,
          selector,
          ports: [
            ...ports,
            {
              name: 'replication',
              port: REPLICATION_PORT,
              targetPort: REPLICATION_PORT,
              protocol: 'TCP',
            },
            { name: 'metrics', port: ADMIN_PORT, targetPort: ADMIN_PORT, protocol: 'TCP' },
          ],
        },
      }),
    },
    {
      resource: services,
      object: object(cluster, 'v1', 'Service', bootstrapName(cluster), {
        spec: { type: 'ClusterIP', selector, ports },
      }),
    },
  ];
}

/** What a broker may do: its own kinds and Leases, in its own namespace. */
function access(cluster: KafkaCluster): Desired[] {
  const name = brokersName(cluster);
  const rbac = 'rbac.authorization.k8s.io/v1';
  const own = ['kafkabrokers', 'kafkapartitionmaps', 'kafkaclusterstates'];
  const rules = [
    { apiGroups: [GROUP], resources: ['kafkaclusters'], verbs: ['get', 'list', 'watch', 'patch'] },
    {
      apiGroups: [GROUP],
      resources: ['kafkatopics'],
      verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
    },
    {
      apiGroups: [GROUP],
      resources: ['kafkatopics/status', 'kafkabrokers/status'],
      verbs: ['patch', 'update'],
    },
    { apiGroups: [GROUP], resources: own, verbs: ['get', 'list', 'watch', 'create', 'update'] },
    // A broker that is gone for good is unregistered by an administrator.
    { apiGroups: [GROUP], resources: ['kafkabrokers'], verbs: ['delete'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['get', 'list', 'watch', 'create', 'update'],
    },
    // The controller sees there that a broker's process has ended.
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
  ];
  return [
    { resource: serviceAccounts, object: object(cluster, 'v1', 'ServiceAccount', name, {}) },
    { resource: roles, object: object(cluster, rbac, 'Role', name, { rules }) },
    {
      resource: roleBindings,
      object: object(cluster, rbac, 'RoleBinding', name, {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [
          { kind: 'ServiceAccount', name, namespace: cluster.metadata.namespace ?? 'default' },
        ],
      }),
    },
  ];
}

function protection(cluster: KafkaCluster): Desired[] {
  const name = brokersName(cluster);
  const matchLabels = selectorLabels(cluster);
  const port = (number: number) => ({ port: number, protocol: 'TCP' });
  return [
    {
      resource: budgets,
      object: object(cluster, 'policy/v1', 'PodDisruptionBudget', name, {
        spec: {
          maxUnavailable: 1,
          selector: { matchLabels },
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
        },
      }),
    },
    {
      resource: networkPolicies,
      object: object(cluster, 'networking.k8s.io/v1', 'NetworkPolicy', name, {
        spec: {
          podSelector: { matchLabels },
          policyTypes: ['Ingress'],
          ingress: [
            { ports: [port(kafkaPort(cluster)), port(ADMIN_PORT)] },
            { from: [{ podSelector: { matchLabels } }], ports: [port(REPLICATION_PORT)] },
          ],
        },
      }),
    },
  ];
}

/** Everything, in an order in which each can be made. */
export function desiredObjects(
  cluster: KafkaCluster,
  defaults: OperatorDefaults,
  replicas: number,
): Desired[] {
  return [
    ...access(cluster),
    ...networkServices(cluster),
    statefulSet(cluster, defaults, replicas),
    ...protection(cluster),
  ];
}
