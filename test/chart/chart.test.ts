/** The chart: what helm says of it, what it renders, and that the API takes every object of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { EmbeddedApi } from '../../kube/embedded/api.ts';
import { groupVersion } from '../../kube/embedded/kinds.ts';
import { Store } from '../../kube/embedded/store.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { crds } from '../../operator/api/crds.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { ROOT } from '../../stdx/root.ts';
import { missing, runProgram } from '../support/programs.ts';

const CHART = join(ROOT, 'charts/tenure');
const skip = missing('helm');
// A helm that was built from source believes in a Kubernetes of long ago.
const VERSION = ['--kube-version', '1.30.0'];

async function render(...args: string[]): Promise<(KubeObject & { spec?: any })[]> {
  const { code, stdout, stderr } = await runProgram('helm', [
    'template',
    'tenure',
    CHART,
    '--namespace',
    'kafka-system',
    ...VERSION,
    ...args,
  ]);
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).flatMap((document) =>
    document.toJS() === null ? [] : [document.toJS()],
  );
}

test('helm lint has nothing to say', { skip }, async () => {
  const { code, stdout } = await runProgram('helm', ['lint', '--strict', ...VERSION, CHART]);
  assert.equal(code, 0, stdout);
});

test('what helm renders is taken by the API, object by object', { skip }, async () => {
  const objects = await render();
  using store = new Store(':memory:');
  const api = new EmbeddedApi({ store, clock: systemClock, chance: systemChance });
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kafka-system' } };
  for (const object of [namespace, ...objects] as KubeObject[]) {
    const kind = api
      .kinds()
      .find((one) => groupVersion(one) === object.apiVersion && one.kind === object.kind);
    assert.ok(kind, `${object.apiVersion} ${object.kind} is served`);
    api.create(kind, object.metadata.namespace ?? '', object, { fieldValidation: 'Strict' });
  }
  const cluster = api.kind('kafka.tenure.dev', 'v1beta1', 'kafkaclusters');
  assert.ok(cluster, 'the chart brought the CRDs');
});

test('the operator runs as the restricted profile asks', { skip }, async () => {
  const deployment = (await render()).find(({ kind }) => kind === 'Deployment');
  const { securityContext, containers } = (deployment as KubeObject & { spec: any }).spec.template
    .spec;
  assert.equal(securityContext.runAsNonRoot, true);
  assert.equal(securityContext.seccompProfile.type, 'RuntimeDefault');
  for (const container of containers) {
    assert.equal(container.securityContext.readOnlyRootFilesystem, true);
    assert.equal(container.securityContext.allowPrivilegeEscalation, false);
    assert.deepEqual(container.securityContext.capabilities.drop, ['ALL']);
  }
});

test('CRDs can be left out, are kept on uninstall, and a namespaced operator gets no cluster role', {
  skip,
}, async () => {
  const all = await render();
  const kept = all.filter(({ kind }) => kind === 'CustomResourceDefinition');
  assert.equal(kept.length, crds.length);
  for (const { metadata } of kept)
    assert.equal(metadata.annotations?.['helm.sh/resource-policy'], 'keep');
  const none = await render(
    '--set',
    'crds.enabled=false',
    '--set',
    'watchNamespace=kafka',
    '--set',
    'nodes.read=false,aggregateRoles=false',
  );
  assert.equal(none.filter(({ kind }) => kind === 'CustomResourceDefinition').length, 0);
  assert.equal(none.filter(({ kind }) => kind.startsWith('ClusterRole')).length, 0);
});

test('Secrets may be kept to namespaces and names, and policies be left out', {
  skip,
}, async () => {
  const rules = (objects: readonly KubeObject[]) =>
    (objects as (KubeObject & { rules?: { resources: string[] }[] })[]).flatMap((object) =>
      (object.rules ?? [])
        .filter(({ resources }) => resources.includes('secrets'))
        .map((rule) => ({ ...rule, kind: object.kind, namespace: object.metadata.namespace })),
    );
  const open = rules(await render());
  assert.deepEqual(
    open.map(({ kind }) => kind),
    ['ClusterRole', 'ClusterRole'],
  );
  const objects = await render(
    '--set',
    'admissionPolicies.enabled=false',
    '--set',
    'secrets.namespaces={kafka},secrets.names={my-cluster-ca,my-cluster-tls}',
  );
  const apiGroups = [''];
  const of = { apiGroups, resources: ['secrets'], kind: 'Role', namespace: 'kafka' };
  assert.deepEqual(rules(objects), [
    { ...of, resourceNames: ['my-cluster-ca', 'my-cluster-tls'], verbs: ['get', 'patch'] },
    { ...of, verbs: ['create'] },
  ]);
  assert.equal(objects.filter(({ kind }) => kind.startsWith('ValidatingAdmission')).length, 0);
  const policies = (await render()).filter(({ kind }) => kind.startsWith('ValidatingAdmission'));
  assert.equal(policies.length, 12);
});

test('a value that the schema does not know is refused', { skip }, async () => {
  const { code, stderr } = await runProgram('helm', [
    'template',
    'tenure',
    CHART,
    ...VERSION,
    '--set',
    'replcas=2',
  ]);
  assert.notEqual(code, 0);
  assert.match(stderr, /replcas/);
});

test('every CRD is small enough to be applied, and its file is the generated one', () => {
  for (const crd of crds) {
    const text = readFileSync(join(ROOT, 'crds', `${crd.metadata.name}.yaml`), 'utf8');
    assert.ok(text.length < 200_000);
    assert.deepEqual(parseAllDocuments(text)[0]?.toJS(), JSON.parse(JSON.stringify(crd)));
  }
});

test('with monitoring everything that Prometheus and Grafana pick up is there', {
  skip,
}, async () => {
  const on = ['podMonitor', 'prometheusRule', 'dashboards'].flatMap((what) => [
    '--set',
    `monitoring.${what}.enabled=true`,
  ]);
  const objects = await render(...on, '--set', 'replicas=2');
  const of = (kind: string) => objects.filter((object) => object.kind === kind);
  assert.equal(of('PodMonitor').length, 2);
  assert.equal(of('PodDisruptionBudget').length, 1);
  const [rules] = of('PrometheusRule');
  const alerts = rules?.spec.groups[0].rules as { alert: string; annotations: object }[];
  assert.ok(alerts.length >= 8);
  for (const { annotations } of alerts)
    assert.deepEqual(Object.keys(annotations).sort(), ['description', 'summary']);
  const [map] = of('ConfigMap') as (KubeObject & { data?: Record<string, string> })[];
  const dashboard = JSON.parse(map?.data?.['tenure-brokers.json'] ?? '{}') as { panels: unknown[] };
  assert.ok(dashboard.panels.length > 10);
});

test('rules and dashboards ask only for metrics that somebody serves', () => {
  const asked = new Set(
    ['rules/alerts.yaml', 'dashboards/brokers.json'].flatMap(
      (path) =>
        readFileSync(join(CHART, path), 'utf8').match(/\b(?:kafka_(?!tenure)|tenure_)[a-z_]+/g) ??
        [],
    ),
  );
  const source = ['broker/observe/metrics.ts', 'operator/metrics.ts']
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('');
  const served = (metric: string) =>
    source.includes(metric) ||
    // Names that are put together from a stem and a word.
    [
      'kafka_server_brokertopicmetrics_',
      'kafka_server_replicamanager_',
      'kafka_controller_kafkacontroller_',
    ].some(
      (stem) =>
        metric.startsWith(stem) &&
        source.includes(metric.slice(stem.length).replace(/_total$/, '')),
    );
  assert.deepEqual(
    [...asked].filter((metric) => !served(metric)),
    [],
  );
});
