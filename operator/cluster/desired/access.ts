/**
 * What a broker may do at the Kubernetes API: its own kinds and Leases, in its own namespace. Admission policies
 * of the chart say which fields, and that they are of its own cluster. Pure.
 */
import { GROUP, type KafkaCluster } from '../../../kube/kafka-objects.ts';
import { serviceAccounts } from '../../../kube/objects.ts';
import { brokersName, type Desired, object, resource } from './names.ts';

const roles = resource('rbac.authorization.k8s.io', 'Role', 'roles');
const roleBindings = resource('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings');

export function access(cluster: KafkaCluster): Desired[] {
  const name = brokersName(cluster);
  const own = ['kafkabrokers', 'kafkapartitionmaps', 'kafkaclusterstates'];
  const rules = [
    { apiGroups: [GROUP], resources: ['kafkaclusters'], verbs: ['get', 'list', 'watch'] },
    // Settings that clients change by Kafka's own requests live there.
    {
      apiGroups: [GROUP],
      resources: ['kafkaclusters', 'kafkaclusters/status'],
      resourceNames: [cluster.metadata.name],
      verbs: ['patch'],
    },
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
    // The controller tells of what it does to a topic.
    { apiGroups: [''], resources: ['events'], verbs: ['create'] },
    // The controller sees there that a broker's process has ended; a broker, in which rack it is.
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  ];
  return [
    object(cluster, { resource: serviceAccounts, name }, {}),
    object(cluster, { resource: roles, name }, { rules }),
    object(
      cluster,
      { resource: roleBindings, name },
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [
          { kind: 'ServiceAccount', name, namespace: cluster.metadata.namespace ?? 'default' },
        ],
      },
    ),
  ];
}
