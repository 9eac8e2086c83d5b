/**
 * What built-in objects must look like where this machine reads them: controllers, nodes and tables take a
 * list for a list. A real API server decodes them into Go's types and refuses the same; fields that nobody
 * reads here are as they come.
 */
import type { JsonSchema } from './kinds.ts';

const text = { type: 'string' };
/** A path in an object, as scales and columns have it. */
const path = { type: 'string', maxLength: 512 };
const whole = { type: 'integer', minimum: 0 };
const flag = { type: 'boolean' };
const either = { type: ['integer', 'string'] };
const list = (items: JsonSchema) => ({ type: 'array', items });
const map = (of: JsonSchema) => ({ type: 'object', additionalProperties: of });
/** Keys that become names of files. */
const files = { ...map(text), propertyNames: { pattern: '^[-._a-zA-Z0-9]{1,253}$' } };
const tree = (properties: Readonly<Record<string, JsonSchema>> = {}, required: string[] = []) => ({
  type: 'object',
  properties,
  required,
});

const METADATA = tree(
  {
    name: text,
    generateName: text,
    namespace: text,
    uid: text,
    resourceVersion: text,
    labels: map(text),
    annotations: map(text),
    finalizers: list(text),
    ownerReferences: list(
      tree({ apiVersion: text, kind: text, name: text, uid: text }, ['kind', 'name', 'uid']),
    ),
    managedFields: list(tree({ manager: text, operation: text, fieldsV1: tree() })),
  },
  ['name'],
);

const PROBE = tree({
  httpGet: tree({ port: either, path: text }),
  periodSeconds: whole,
  timeoutSeconds: whole,
  failureThreshold: whole,
});
const CONTAINER = tree(
  {
    name: text,
    image: text,
    command: list(text),
    args: list(text),
    env: list(
      tree({ name: text, value: text, valueFrom: tree({ fieldRef: tree({ fieldPath: text }) }) }, [
        'name',
      ]),
    ),
    ports: list(tree({ containerPort: whole })),
    volumeMounts: list(tree({ name: text, mountPath: text }, ['name', 'mountPath'])),
    readinessProbe: PROBE,
    livenessProbe: PROBE,
  },
  ['name'],
);
const POD_SPEC = tree({
  containers: list(CONTAINER),
  initContainers: list(CONTAINER),
  nodeName: text,
  serviceAccountName: text,
  terminationGracePeriodSeconds: whole,
  volumes: list(
    tree(
      {
        name: text,
        persistentVolumeClaim: tree({ claimName: text }, ['claimName']),
        secret: tree({ secretName: text }),
      },
      ['name'],
    ),
  ),
});
const CONDITIONS = list(tree({ type: text, status: text }, ['type', 'status']));
const CLAIM_SPEC = tree({
  storageClassName: text,
  resources: tree({ requests: tree({ storage: text }) }),
});
const REPLICAS = tree({ replicas: whole, template: tree({ spec: POD_SPEC }) });

/** By kind; what is not named here is not read by anybody. */
const SHAPES: Readonly<Record<string, JsonSchema>> = {
  Pod: tree(
    {
      spec: POD_SPEC,
      status: tree({
        phase: text,
        podIP: text,
        conditions: CONDITIONS,
        containerStatuses: list(tree({ state: tree({ waiting: tree({ reason: text }) }) })),
      }),
    },
    ['spec'],
  ),
  Secret: tree({ data: files }),
  ConfigMap: tree({ data: files, binaryData: files }),
  Service: tree({
    spec: tree({ type: text, ports: list(tree({ port: whole, nodePort: whole })) }),
  }),
  PersistentVolumeClaim: tree(
    { spec: CLAIM_SPEC, status: tree({ phase: text, capacity: tree({ storage: text }) }) },
    ['spec'],
  ),
  Node: tree({ spec: tree({ unschedulable: flag }), status: tree({ conditions: CONDITIONS }) }),
  Lease: tree({
    spec: tree({ holderIdentity: text, renewTime: text, leaseTransitions: whole }),
  }),
  StatefulSet: tree(
    {
      spec: tree({
        ...REPLICAS.properties,
        serviceName: text,
        selector: tree({ matchLabels: map(text) }),
        volumeClaimTemplates: list(
          tree({ metadata: tree({ name: text, labels: map(text) }, ['name']), spec: CLAIM_SPEC }, [
            'metadata',
            'spec',
          ]),
        ),
      }),
      status: tree({ replicas: whole, readyReplicas: whole }),
    },
    ['spec'],
  ),
  Deployment: tree({ spec: REPLICAS, status: tree() }, ['spec']),
  PodDisruptionBudget: tree({
    spec: tree({
      maxUnavailable: either,
      minAvailable: either,
      selector: tree({ matchLabels: map(text) }),
    }),
  }),
  CustomResourceDefinition: tree(
    {
      spec: tree(
        {
          group: text,
          scope: { enum: ['Namespaced', 'Cluster'] },
          names: tree(
            {
              kind: text,
              plural: text,
              singular: text,
              shortNames: list(text),
              categories: list(text),
            },
            ['kind', 'plural'],
          ),
          versions: list(
            tree(
              {
                name: text,
                served: flag,
                storage: flag,
                schema: tree({ openAPIV3Schema: tree() }),
                subresources: tree({
                  status: tree(),
                  scale: tree(
                    {
                      specReplicasPath: path,
                      statusReplicasPath: path,
                      labelSelectorPath: path,
                    },
                    ['specReplicasPath', 'statusReplicasPath'],
                  ),
                }),
                additionalPrinterColumns: list(
                  tree(
                    { name: text, type: text, jsonPath: path, priority: whole, description: text },
                    ['name', 'type', 'jsonPath'],
                  ),
                ),
              },
              ['name', 'served', 'storage'],
            ),
          ),
        },
        ['group', 'scope', 'names', 'versions'],
      ),
    },
    ['spec'],
  ),
};

/** What objects of a kind must look like, whatever else its schema says. */
export function shapeOf(kind: string, isBuiltIn: boolean): JsonSchema {
  const known = isBuiltIn ? SHAPES[kind] : undefined;
  return tree({ apiVersion: text, kind: text, ...known?.properties, metadata: METADATA }, [
    'apiVersion',
    'kind',
    'metadata',
    ...((known?.required as string[] | undefined) ?? []),
  ]);
}
