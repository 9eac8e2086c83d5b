/**
 * Who may do what: accounts × verbs × objects × fields, asked of a real API server with the rights and the
 * admission policies of the chart. Nothing is changed by it: what is allowed is only tried (`dryRun`).
 */
import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import { type KubeAccess, KubeClient, resourcePath } from '../../kube/client.ts';
import {
  CLUSTER_LABEL,
  type KafkaCluster,
  kafkaBrokers,
  kafkaClusterStates,
  kafkaClusters,
  kafkaPartitionMaps,
  kafkaTopics,
} from '../../kube/kafka-objects.ts';
import {
  type KubeObject,
  leases,
  pods,
  type Resource,
  secrets,
  serviceAccounts,
} from '../../kube/objects.ts';
import { access } from '../../operator/cluster/desired/access.ts';
import { desiredObjects } from '../../operator/cluster/desired/desired.ts';
import { resource } from '../../operator/cluster/desired/names.ts';
import {
  accessOf,
  clearNamespace,
  externalKubeconfig,
  prepareExternal,
} from '../support/external.ts';
import { until } from '../support/local.ts';
import {
  account,
  bound,
  broker,
  clusterNamed,
  lease,
  metadata,
  NAMESPACE,
  own,
  page,
  secret,
  state,
} from '../support/rights-objects.ts';

const skip = externalKubeconfig === null ? 'no real API server is given' : false;
const SYSTEM = 'tenure-system';
const roles = resource('rbac.authorization.k8s.io', 'Role', 'roles');
const roleBindings = resource('rbac.authorization.k8s.io', 'RoleBinding', 'rolebindings');
const configMaps = resource('', 'ConfigMap', 'configmaps');
const services = resource('', 'Service', 'services');
const statefulSets = resource('apps', 'StatefulSet', 'statefulsets');
const validatingPolicies = resource(
  'admissionregistration.k8s.io',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
);

type Who = 'broker' | 'operator' | 'editor' | 'clusters only' | 'viewer' | 'anonymous';
const EVERYBODY: readonly Who[] = [
  'broker',
  'operator',
  'editor',
  'clusters only',
  'viewer',
  'anonymous',
];

let admin: KubeClient;
let server: KubeAccess;
const tokens = new Map<Who, string>();

/** The answer to a request of somebody that changes nothing. */
function ask(
  who: Who,
  method: string,
  path: string,
  body?: object,
  contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
): Promise<{ status: number; message: string }> {
  const token = tokens.get(who);
  return new Promise((resolve, reject) => {
    const request = https.request(
      new URL(path, server.server),
      {
        method,
        ca: server.ca,
        headers: {
          'content-type': contentType,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ status, message: status < 300 ? '' : (JSON.parse(text).message ?? text) });
        });
      },
    );
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const VERBS = {
  get: 'GET',
  list: 'GET',
  create: 'POST',
  patch: 'PATCH',
  update: 'PUT',
  delete: 'DELETE',
} as const;

interface Asked {
  readonly verb: keyof typeof VERBS;
  readonly of: Resource;
  readonly name?: string;
  readonly namespace?: string;
  readonly subresource?: string;
  readonly body?: object;
}

/** What a row of the matrix comes to: allowed, or who refuses it. */
async function verdict(who: Who, asked: Asked): Promise<'allowed' | 'role' | 'policy'> {
  const { body, name, namespace = NAMESPACE, of, subresource, verb } = asked;
  const base =
    verb === 'create' || verb === 'list'
      ? resourcePath(of, namespace)
      : resourcePath(of, namespace, name ?? '');
  const path = `${base}${subresource === undefined ? '' : `/${subresource}`}?dryRun=All`;
  const answer = await ask(who, VERBS[verb], path, body);
  // What is not there was looked for.
  if (answer.status < 300 || answer.status === 404) return 'allowed';
  if (/ValidatingAdmissionPolicy '.*' with binding '.*' denied request/.test(answer.message))
    return 'policy';
  const isAboutRole = /is forbidden: User ".*" cannot /.test(answer.message);
  assert.ok(isAboutRole, `${who} ${verb} ${path}: ${answer.status} ${answer.message}`);
  return 'role';
}

async function tokenOf(namespace: string, name: string): Promise<string> {
  const { status } = await admin.act<{ status: { token: string } }>(
    serviceAccounts,
    { namespace, name, subresource: 'token' },
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
  );
  return status.token;
}

const put = (of: Resource, object: KubeObject) =>
  admin.apply(of, object, { fieldManager: 'rights-test' });

before(async () => {
  if (externalKubeconfig === null) return;
  await prepareExternal(externalKubeconfig);
  server = accessOf(externalKubeconfig);
  admin = new KubeClient(server);
  for (const name of ['mine', 'theirs']) {
    const cluster = await put(kafkaClusters as Resource, clusterNamed(name));
    for (const { object, resource: of } of access(cluster as KafkaCluster)) await put(of, object);
    await put(kafkaTopics as Resource, own(kafkaTopics as Resource, `of-${name}`, name));
    await put(kafkaPartitionMaps as Resource, page(`${name}-1`, name));
    await put(kafkaClusterStates as Resource, state(name, name));
    await put(kafkaBrokers as Resource, broker(`${name}-broker-0`, name));
    await put(leases as Resource, lease(`${name}-controller`, name));
    await put(secrets as Resource, secret(`${name}-ca`, name));
  }
  await put(leases as Resource, lease('somebody-elses'));
  await put(secrets as Resource, secret('somebody-elses'));
  for (const who of ['editor', 'viewer', 'clusters-only'])
    await put(serviceAccounts as Resource, account(who));
  await put(roles, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: metadata('clusters-only'),
    rules: [{ apiGroups: ['kafka.tenure.dev'], resources: ['kafkaclusters'], verbs: ['*'] }],
  } as unknown as KubeObject);
  await put(roleBindings, bound('editor', { kind: 'ClusterRole', name: 'edit' }));
  await put(roleBindings, bound('viewer', { kind: 'ClusterRole', name: 'view' }));
  await put(roleBindings, bound('clusters-only', { kind: 'Role', name: 'clusters-only' }));
  tokens.set('broker', await tokenOf(NAMESPACE, 'mine-broker'));
  tokens.set('operator', await tokenOf(SYSTEM, 'tenure-operator'));
  for (const [who, name] of [
    ['editor', 'editor'],
    ['viewer', 'viewer'],
    ['clusters only', 'clusters-only'],
  ] as const)
    tokens.set(who, await tokenOf(NAMESPACE, name));
  // Policies and aggregated roles act a moment after they were made.
  const image = { verb: 'patch', of: kafkaClusters as Resource, name: 'mine' } as const;
  await until('policies act', 30_000, async () => {
    const asked = { ...image, body: { spec: { image: 'x' } } };
    return (
      (await verdict('broker', asked)) === 'policy' &&
      (await verdict('clusters only', asked)) === 'policy' &&
      (await verdict('editor', asked)) === 'allowed'
    );
  });
});
after(async () => {
  if (externalKubeconfig === null) return;
  for (const name of ['mine', 'theirs']) {
    await admin.delete(kafkaPartitionMaps, NAMESPACE, `${name}-1`).catch(() => {});
    await admin.delete(kafkaClusterStates, NAMESPACE, name).catch(() => {});
    await admin.delete(kafkaBrokers, NAMESPACE, `${name}-broker-0`).catch(() => {});
  }
  for (const [of, name] of [
    [leases, 'somebody-elses'],
    [secrets, 'somebody-elses'],
    [roleBindings, 'editor'],
    [roleBindings, 'viewer'],
    [roleBindings, 'clusters-only'],
  ] as const)
    await admin.delete(of as Resource, NAMESPACE, name).catch(() => {});
  await clearNamespace(admin, NAMESPACE, 30_000);
  admin[Symbol.dispose]();
});

/** A row: what is asked, who is allowed, and who is refused by a policy; everybody else has no role for it. */
type Row = readonly [
  says: string,
  asked: Asked,
  allowed: readonly Who[],
  byPolicy?: readonly Who[],
];

function holds(rows: readonly Row[]): void {
  for (const [says, asked, allowed, byPolicy = []] of rows) {
    test(says, { skip }, async () => {
      for (const who of EVERYBODY) {
        const wanted = allowed.includes(who)
          ? 'allowed'
          : byPolicy.includes(who)
            ? 'policy'
            : 'role';
        assert.equal(await verdict(who, asked), wanted, who);
      }
    });
  }
}

const mine = { of: kafkaClusters as Resource, name: 'mine' } as const;
const theirs = { of: kafkaClusters as Resource, name: 'theirs' } as const;
const spec = (fields: object): Asked => ({ verb: 'patch', ...mine, body: { spec: fields } });
const PEOPLE = ['editor', 'clusters only'] as const;
const BROKERS_AND_OPERATOR = ['broker', 'operator'] as const;

describe('what a KafkaCluster says', () => {
  const pod = { spec: { hostPID: true } };
  holds([
    ['config', spec({ config: { 'num.partitions': '2' } }), ['broker', ...PEOPLE], ['operator']],
    [
      'brokerConfig',
      spec({ brokerConfig: { 0: { 'log.cleaner.threads': '2' } } }),
      ['broker', ...PEOPLE],
      ['operator'],
    ],
    [
      'groupConfig',
      spec({ groupConfig: { g: { 'consumer.session.timeout.ms': '45000' } } }),
      ['broker', ...PEOPLE],
      ['operator'],
    ],
    [
      'quotas',
      spec({ quotas: [{ clientId: 'c', config: { producer_byte_rate: 1 } }] }),
      ['broker', ...PEOPLE],
      ['operator'],
    ],
    ['replicas', spec({ replicas: 4 }), PEOPLE, BROKERS_AND_OPERATOR],
    ['hibernated', spec({ hibernated: true }), PEOPLE, BROKERS_AND_OPERATOR],
    ['drainBrokers', spec({ drainBrokers: [0] }), PEOPLE, BROKERS_AND_OPERATOR],
    ['recovery', spec({ recovery: { allowLoss: true } }), PEOPLE, BROKERS_AND_OPERATOR],
    ['storage', spec({ storage: { type: 'ephemeral' } }), PEOPLE, BROKERS_AND_OPERATOR],
    ['tls', spec({ tls: { validityDays: 90 } }), PEOPLE, BROKERS_AND_OPERATOR],
    [
      'listeners',
      spec({ listeners: [{ name: 'x', port: 9092, type: 'nodeport' }] }),
      PEOPLE,
      BROKERS_AND_OPERATOR,
    ],
    ['resources', spec({ resources: { limits: { cpu: '1' } } }), PEOPLE, BROKERS_AND_OPERATOR],
    [
      'image: only who may create pods',
      spec({ image: 'x' }),
      ['editor'],
      ['clusters only', ...BROKERS_AND_OPERATOR],
    ],
    [
      'template of pods',
      spec({ template: { pod } }),
      ['editor'],
      ['clusters only', ...BROKERS_AND_OPERATOR],
    ],
    [
      'template of the container',
      spec({ template: { broker: { command: ['sh'] } } }),
      ['editor'],
      ['clusters only', ...BROKERS_AND_OPERATOR],
    ],
    [
      'a Secret that pods read',
      spec({ tls: { certificateSecret: 'somebody-elses' } }),
      ['editor'],
      ['clusters only', ...BROKERS_AND_OPERATOR],
    ],
    [
      'a setting and something else in one',
      spec({ config: { 'num.partitions': '2' }, replicas: 5 }),
      PEOPLE,
      BROKERS_AND_OPERATOR,
    ],
    [
      'annotations that steer',
      {
        verb: 'patch',
        ...mine,
        body: { metadata: { annotations: { 'kafka.tenure.dev/restart': '1' } } },
      },
      [...PEOPLE, 'operator'],
      ['broker'],
    ],
    [
      'the annotation with the cluster id',
      {
        verb: 'patch',
        ...mine,
        body: { metadata: { annotations: { 'kafka.tenure.dev/cluster-id': 'default/mine/x' } } },
      },
      ['broker', 'operator', ...PEOPLE],
    ],
    [
      'finalizers',
      { verb: 'patch', ...mine, body: { metadata: { finalizers: ['x.example/y'] } } },
      [...PEOPLE, 'operator'],
      ['broker'],
    ],
    [
      'labels',
      { verb: 'patch', ...mine, body: { metadata: { labels: { a: 'b' } } } },
      [...PEOPLE, 'operator'],
      ['broker'],
    ],
    [
      'conditions in the status',
      {
        verb: 'patch',
        ...mine,
        subresource: 'status',
        body: {
          status: {
            conditions: [
              {
                type: 'Recovered',
                status: 'True',
                reason: 'R',
                message: '',
                lastTransitionTime: '2026-01-01T00:00:00Z',
              },
            ],
          },
        },
      },
      BROKERS_AND_OPERATOR,
    ],
    [
      'the rest of the status',
      {
        verb: 'patch',
        ...mine,
        subresource: 'status',
        body: { status: { bootstrapServers: 'evil:9092' } },
      },
      ['operator'],
      ['broker'],
    ],
    [
      "another cluster's settings",
      { verb: 'patch', ...theirs, body: { spec: { config: { 'num.partitions': '2' } } } },
      PEOPLE,
      ['operator'],
    ],
    [
      'a new one',
      { verb: 'create', of: kafkaClusters as Resource, body: clusterNamed('next') },
      PEOPLE,
    ],
    [
      'a new one with a template',
      {
        verb: 'create',
        of: kafkaClusters as Resource,
        body: clusterNamed('next', { template: { pod } }),
      },
      ['editor'],
      ['clusters only'],
    ],
    ['its end', { verb: 'delete', ...mine }, PEOPLE],
    [
      'what it says',
      { verb: 'get', ...mine },
      ['broker', 'operator', 'editor', 'clusters only', 'viewer'],
    ],
  ]);
});

describe('what brokers write of their own and of another cluster', () => {
  const kinds: [Resource, (cluster: string) => string, (name: string, of: string) => KubeObject][] =
    [
      [kafkaPartitionMaps as Resource, (of) => `${of}-1`, page],
      [kafkaClusterStates as Resource, (of) => of, state],
      [kafkaBrokers as Resource, (of) => `${of}-broker-0`, broker],
    ];
  for (const [of, nameOf, make] of kinds) {
    holds([
      [
        `${of.kind}: another one of its own`,
        { verb: 'create', of, body: make('next', 'mine') },
        BROKERS_AND_OPERATOR,
      ],
      [
        `${of.kind}: one for another cluster`,
        { verb: 'create', of, body: make('next', 'theirs') },
        ['operator'],
        ['broker'],
      ],
    ]);
    test(`${of.kind}: an update`, { skip }, async () => {
      for (const [cluster, wanted] of [
        ['mine', 'allowed'],
        ['theirs', 'policy'],
      ] as const) {
        const current = await admin.get(of, NAMESPACE, nameOf(cluster));
        const asked = { verb: 'update', of, name: nameOf(cluster), body: current ?? {} } as const;
        assert.equal(await verdict('broker', asked), wanted);
        for (const who of ['editor', 'clusters only', 'viewer', 'anonymous'] as const)
          assert.equal(await verdict(who, asked), 'role');
      }
    });
  }
  const topics = kafkaTopics as Resource;
  const more = { spec: { partitions: 2 } };
  holds([
    [
      'KafkaTopic: of its own',
      { verb: 'patch', of: topics, name: 'of-mine', body: more },
      ['broker', 'operator', 'editor'],
    ],
    [
      'KafkaTopic: of another cluster',
      { verb: 'patch', of: topics, name: 'of-theirs', body: more },
      ['operator', 'editor'],
      ['broker'],
    ],
    [
      "KafkaTopic: another cluster's deleted",
      { verb: 'delete', of: topics, name: 'of-theirs' },
      ['operator', 'editor'],
      ['broker'],
    ],
    [
      'KafkaTopic: its status',
      {
        verb: 'patch',
        of: topics,
        name: 'of-mine',
        subresource: 'status',
        body: { status: { partitions: 1 } },
      },
      BROKERS_AND_OPERATOR,
    ],
    [
      'KafkaTopic: the status of another cluster',
      {
        verb: 'patch',
        of: topics,
        name: 'of-theirs',
        subresource: 'status',
        body: { status: { partitions: 1 } },
      },
      ['operator'],
      ['broker'],
    ],
    [
      'Lease: of its own',
      { verb: 'create', of: leases as Resource, body: lease('mine-broker-9', 'mine') },
      // Kubernetes lets whoever may edit a namespace edit its Leases.
      [...BROKERS_AND_OPERATOR, 'editor'],
    ],
    [
      'Lease: with the name of another cluster',
      { verb: 'create', of: leases as Resource, body: lease('theirs-broker-9', 'theirs') },
      ['operator', 'editor'],
      ['broker'],
    ],
    [
      "Lease: somebody else's new",
      { verb: 'create', of: leases as Resource, body: lease('plain') },
      ['operator', 'editor'],
      ['broker'],
    ],
  ]);
  test("Lease: another cluster's, and somebody else's, are not taken over", { skip }, async () => {
    for (const [name, wanted] of [
      ['mine-controller', 'allowed'],
      ['theirs-controller', 'policy'],
      ['somebody-elses', 'policy'],
    ] as const) {
      const current = (await admin.get(leases, NAMESPACE, name)) as KubeObject;
      const labels = { [CLUSTER_LABEL]: 'mine' };
      const body = { ...current, metadata: { ...current.metadata, labels } };
      const asked = { verb: 'update', of: leases as Resource, name, body } as const;
      assert.equal(await verdict('broker', asked), wanted, name);
    }
  });
});

describe('what lies beside a cluster', () => {
  const all = secrets as Resource;
  const label = { metadata: { labels: { a: 'b' } } };
  holds([
    [
      "Secret: a cluster's, read",
      { verb: 'get', of: all, name: 'mine-ca' },
      ['operator', 'editor'],
    ],
    [
      "Secret: a cluster's, changed",
      { verb: 'patch', of: all, name: 'mine-ca', body: label },
      ['operator', 'editor'],
    ],
    [
      "Secret: somebody else's, changed",
      { verb: 'patch', of: all, name: 'somebody-elses', body: label },
      ['editor'],
      ['operator'],
    ],
    [
      "Secret: somebody else's, made the cluster's",
      {
        verb: 'patch',
        of: all,
        name: 'somebody-elses',
        body: { metadata: { labels: { [CLUSTER_LABEL]: 'mine' } } },
      },
      ['editor'],
      ['operator'],
    ],
    [
      'Secret: a new one that belongs to no cluster',
      { verb: 'create', of: all, body: secret('next') },
      ['editor'],
      ['operator'],
    ],
    ['Secret: a list of all', { verb: 'list', of: all }, ['editor']],
    ['Secret: its end', { verb: 'delete', of: all, name: 'mine-ca' }, ['editor']],
    [
      'ConfigMap',
      {
        verb: 'create',
        of: configMaps,
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('next') },
      },
      ['editor'],
      ['operator'],
    ],
    [
      'Service of somebody else',
      {
        verb: 'patch',
        of: services,
        name: 'kubernetes',
        body: { spec: { externalName: 'evil.example' } },
      },
      ['editor'],
      ['operator'],
    ],
    [
      'StatefulSet that belongs to no cluster',
      {
        verb: 'create',
        of: statefulSets,
        body: {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: metadata('next'),
          spec: {
            serviceName: 'x',
            selector: { matchLabels: { a: 'b' } },
            template: {
              metadata: { labels: { a: 'b' } },
              spec: { containers: [{ name: 'c', image: 'x' }] },
            },
          },
        },
      },
      ['editor'],
      ['operator'],
    ],
    [
      'Role: what a broker may do is not for brokers to say',
      { verb: 'patch', of: roles, name: 'mine-broker', body: { rules: [] } },
      ['operator'],
    ],
    [
      'Role of somebody else',
      { verb: 'patch', of: roles, name: 'clusters-only', body: { rules: [] } },
      [],
      ['operator'],
    ],
    [
      'Pods are seen',
      { verb: 'list', of: pods as Resource },
      ['broker', 'operator', 'editor', 'viewer'],
    ],
    [
      'Secret of another namespace',
      { verb: 'get', of: all, name: 'x', namespace: 'kube-system' },
      ['operator'],
    ],
    ['admission policies', { verb: 'list', of: { ...validatingPolicies, namespaced: false } }, []],
  ]);

  test('the operator is allowed everything that it makes of a cluster', { skip }, async () => {
    const listeners = [
      { name: 'internal', port: 9092, type: 'internal' },
      { name: 'tls', port: 9093, type: 'internal', tls: true },
      { name: 'outside', port: 9094, type: 'nodeport' },
    ];
    const cluster = (await admin.get(kafkaClusters, NAMESPACE, 'mine')) as KafkaCluster;
    const of = { ...cluster.spec, listeners, tls: { brokers: true } } as KafkaCluster['spec'];
    const objects = desiredObjects({
      cluster: { ...cluster, spec: of },
      defaults: { image: 'x', clusterDns: true, brokerLogFormat: 'json', knowsNodes: true },
      replicas: 3,
      live: null,
      mayEvict: true,
      bootstrapServers: 'x:9092',
      peerTls: 'require',
    });
    const kinds = new Set(objects.map(({ object }) => object.kind));
    assert.ok(kinds.size >= 8, [...kinds].join());
    for (const { object, resource: kind } of objects) {
      const path = `${resourcePath(kind, NAMESPACE, object.metadata.name)}?dryRun=All&force=true&fieldManager=tenure-operator`;
      const answer = await ask('operator', 'PATCH', path, object, 'application/apply-patch+yaml');
      assert.equal(answer.message, '', `${object.kind} ${object.metadata.name}`);
    }
  });

  test('a token is for one namespace', { skip }, async () => {
    for (const kind of [kafkaClusters, kafkaTopics, leases] as Resource[])
      assert.equal(await verdict('broker', { verb: 'list', of: kind, namespace: SYSTEM }), 'role');
  });
});
