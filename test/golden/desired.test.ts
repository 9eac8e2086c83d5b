/**
 * The objects that the operator makes of clusters, as they were recorded: an upgrade that changes a pod
 * template restarts every broker of its users, and shows here as a difference to be looked at.
 * `UPDATE_GOLDEN=1 npm test -- test/golden/desired.test.ts` records them anew.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import { desiredObjects } from '../../operator/cluster/desired/desired.ts';
import { ROOT } from '../../stdx/root.ts';
import { clusterOf } from '../support/operator-world.ts';

const FOLDER = join(ROOT, 'test/golden/desired');

const clusters: Readonly<Record<string, KafkaCluster>> = {
  plain: clusterOf(),
  everything: clusterOf(
    {
      replicas: 2,
      image: 'example/tenure:9',
      listeners: [
        { name: 'internal', port: 9092, type: 'internal' },
        { name: 'nodes', port: 9094, type: 'nodeport', brokers: [{ id: 1, nodePort: 31001 }] },
        { name: 'balanced', port: 9095, type: 'loadbalancer', annotations: { internal: 'true' } },
      ],
      storage: {
        type: 'persistent-claim',
        size: '10Gi',
        class: 'fast',
        deleteClaim: true,
        volumes: 2,
      },
      rack: { topologyKey: 'topology.kubernetes.io/zone' },
      resources: { limits: { memory: '1Gi' } },
      metrics: { podMonitor: true },
      template: {
        pod: { metadata: { labels: { team: 'a' } }, priorityClassName: 'high' },
        broker: { env: [{ name: 'TENURE_LOG_LEVEL', value: 'debug' }] },
      },
    },
    { annotations: { 'kafka.tenure.dev/restart': 'one' } },
  ),
};

for (const [name, cluster] of Object.entries(clusters)) {
  test(`the objects of the cluster "${name}" are those that were recorded`, () => {
    const text = desiredObjects({
      cluster,
      defaults: { image: 'tenure:1', clusterDns: true, brokerLogFormat: 'json', knowsNodes: true },
      replicas: cluster.spec.replicas,
      live: null,
      mayEvict: true,
      bootstrapServers: 'c-bootstrap.n.svc:9092',
      peerTls: 'none' as const,
    })
      .map(({ object }) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
      .join('---\n');
    const file = join(FOLDER, `${name}.yaml`);
    if (process.env.UPDATE_GOLDEN === '1') {
      mkdirSync(FOLDER, { recursive: true });
      writeFileSync(file, text);
    }
    assert.ok(existsSync(file), 'record it with UPDATE_GOLDEN=1');
    assert.equal(text, readFileSync(file, 'utf8'));
  });
}
