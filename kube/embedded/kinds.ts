/** The kinds of objects that the embedded API serves: built-in ones, and one for each CRD. */
import { shapeOf } from './shapes.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  /** 0 is always shown, more only with `-o wide`. */
  readonly priority?: number;
  readonly description?: string;
}

export interface JsonSchema {
  readonly [key: string]: any;
}

export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  readonly scale: ScalePaths | null;
  readonly columns: readonly PrinterColumn[];
  /** OpenAPI v3 schema of the whole object; null: fields are not checked. */
  readonly schema: JsonSchema | null;
  /** What whoever reads such objects here relies on, beside the schema. */
  readonly shape: JsonSchema;
  /** The CRD it comes from, null for built-in kinds. */
  readonly crd: string | null;
}

export function groupVersion({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`;
}

interface BuiltIn {
  readonly kind: string;
  readonly plural: string;
  readonly short?: readonly string[];
  readonly cluster?: true;
  readonly status?: true;
  readonly scale?: true;
  readonly all?: true;
  readonly columns?: readonly PrinterColumn[];
}

const column = (name: string, jsonPath: string, type = 'string', priority = 0): PrinterColumn => ({
  name,
  jsonPath,
  type,
  priority,
});
const replicaScale: ScalePaths = {
  specReplicasPath: '.spec.replicas',
  statusReplicasPath: '.status.replicas',
  labelSelectorPath: '.status.selector',
};

const builtIns: Readonly<Record<string, readonly BuiltIn[]>> = {
  v1: [
    {
      kind: 'Namespace',
      plural: 'namespaces',
      short: ['ns'],
      cluster: true,
      status: true,
      columns: [column('Status', '.status.phase')],
    },
    {
      kind: 'Pod',
      plural: 'pods',
      short: ['po'],
      status: true,
      all: true,
      columns: [
        column('Ready', '.status.tenureReady'),
        column('Status', '.status.tenureReason'),
        column('Restarts', '.status.containerStatuses[0].restartCount', 'integer'),
        column('IP', '.status.podIP', 'string', 1),
        column('Node', '.spec.nodeName', 'string', 1),
      ],
    },
    {
      kind: 'Service',
      plural: 'services',
      short: ['svc'],
      status: true,
      all: true,
      columns: [
        column('Type', '.spec.type'),
        column('Cluster-IP', '.spec.clusterIP'),
        column('Port', '.spec.ports[*].port'),
      ],
    },
    { kind: 'ConfigMap', plural: 'configmaps', short: ['cm'] },
    { kind: 'Secret', plural: 'secrets', columns: [column('Type', '.type')] },
    { kind: 'ServiceAccount', plural: 'serviceaccounts', short: ['sa'] },
    {
      kind: 'Event',
      plural: 'events',
      short: ['ev'],
      columns: [
        column('Last Seen', '.lastTimestamp', 'date'),
        column('Type', '.type'),
        column('Reason', '.reason'),
        column('Object', '.involvedObject.name'),
        column('Message', '.message'),
      ],
    },
    {
      kind: 'PersistentVolumeClaim',
      plural: 'persistentvolumeclaims',
      short: ['pvc'],
      status: true,
      columns: [
        column('Status', '.status.phase'),
        column('Capacity', '.spec.resources.requests.storage'),
      ],
    },
    {
      kind: 'Node',
      plural: 'nodes',
      short: ['no'],
      cluster: true,
      status: true,
      columns: [column('Version', '.status.nodeInfo.kubeletVersion')],
    },
    { kind: 'Endpoints', plural: 'endpoints', short: ['ep'] },
  ],
  'apps/v1': [
    {
      kind: 'StatefulSet',
      plural: 'statefulsets',
      short: ['sts'],
      status: true,
      scale: true,
      all: true,
      columns: [column('Ready', '.status.tenureReady')],
    },
    {
      kind: 'Deployment',
      plural: 'deployments',
      short: ['deploy'],
      status: true,
      scale: true,
      all: true,
      columns: [
        column('Desired', '.spec.replicas', 'integer'),
        column('Available', '.status.availableReplicas', 'integer'),
      ],
    },
  ],
  'coordination.k8s.io/v1': [
    {
      kind: 'Lease',
      plural: 'leases',
      columns: [
        column('Holder', '.spec.holderIdentity'),
        column('Transitions', '.spec.leaseTransitions', 'integer'),
      ],
    },
  ],
  'policy/v1': [
    { kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', short: ['pdb'], status: true },
  ],
  'networking.k8s.io/v1': [{ kind: 'NetworkPolicy', plural: 'networkpolicies', short: ['netpol'] }],
  'discovery.k8s.io/v1': [{ kind: 'EndpointSlice', plural: 'endpointslices' }],
  'storage.k8s.io/v1': [
    { kind: 'StorageClass', plural: 'storageclasses', short: ['sc'], cluster: true },
  ],
  'rbac.authorization.k8s.io/v1': [
    { kind: 'Role', plural: 'roles' },
    { kind: 'RoleBinding', plural: 'rolebindings' },
    { kind: 'ClusterRole', plural: 'clusterroles', cluster: true },
    { kind: 'ClusterRoleBinding', plural: 'clusterrolebindings', cluster: true },
  ],
  'flowcontrol.apiserver.k8s.io/v1': [
    { kind: 'FlowSchema', plural: 'flowschemas', cluster: true, status: true },
  ],
  // Kept, not acted on: everybody who has the token of this API may do everything.
  'admissionregistration.k8s.io/v1': [
    {
      kind: 'ValidatingAdmissionPolicy',
      plural: 'validatingadmissionpolicies',
      cluster: true,
      status: true,
    },
    {
      kind: 'ValidatingAdmissionPolicyBinding',
      plural: 'validatingadmissionpolicybindings',
      cluster: true,
    },
  ],
  'apiextensions.k8s.io/v1': [
    {
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      short: ['crd', 'crds'],
      cluster: true,
      status: true,
    },
  ],
};

export const builtInKinds: readonly Kind[] = Object.entries(builtIns).flatMap(([gv, list]) => {
  const [group, version] = gv.includes('/') ? (gv.split('/') as [string, string]) : ['', gv];
  return list.map(
    (one): Kind => ({
      group,
      version,
      kind: one.kind,
      plural: one.plural,
      singular: one.kind.toLowerCase(),
      shortNames: one.short ?? [],
      categories: one.all ? ['all'] : [],
      namespaced: one.cluster !== true,
      hasStatus: one.status === true,
      scale: one.scale ? replicaScale : null,
      columns: one.columns ?? [],
      schema: null,
      shape: shapeOf(one.kind, true),
      crd: null,
    }),
  );
});

/** The kinds that a CustomResourceDefinition brings, one for each served version. */
export function kindsOfCrd(crd: any): Kind[] {
  const { group, names, scope, versions } = crd.spec;
  return versions
    .filter((version: any) => version.served)
    .map(
      (version: any): Kind => ({
        group,
        version: version.name,
        kind: names.kind,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        namespaced: scope === 'Namespaced',
        hasStatus: version.subresources?.status !== undefined,
        scale: version.subresources?.scale ?? null,
        columns: version.additionalPrinterColumns ?? [],
        schema: version.schema?.openAPIV3Schema ?? null,
        shape: shapeOf(names.kind, false),
        crd: crd.metadata.name,
      }),
    );
}
