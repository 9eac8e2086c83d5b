import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  API_VERSION,
  annotations,
  clusterIdNote,
  idOfUid,
  type KafkaCluster,
} from '../../kube/kafka-objects.ts';
import { type Identifiable, identify } from './identity-core.ts';

const UID = '00000000-0000-4000-8000-000000000001';
const object = (
  annotation?: string,
  recovery?: NonNullable<KafkaCluster['spec']['recovery']>,
): KafkaCluster => ({
  apiVersion: API_VERSION,
  kind: 'KafkaCluster',
  metadata: {
    name: 'c',
    namespace: 'n',
    uid: UID,
    ...(annotation === undefined ? {} : { annotations: { [annotations.clusterId]: annotation } }),
  },
  spec: { replicas: 3, ...(recovery === undefined ? {} : { recovery }) },
});
const asked = (more: Partial<Identifiable>) =>
  identify({ cluster: object(), stored: null, held: [], broker: 1, ...more });

test('a first cluster has the uid of its object', () => {
  assert.deepEqual(asked({}), { clusterId: idOfUid(UID) });
});

test('what is stored counts, whatever the object is called by now', () => {
  assert.deepEqual(asked({ stored: 'V', held: ['V'] }), { clusterId: 'V' });
  assert.deepEqual(asked({ stored: 'V' }), { clusterId: 'V' });
  const other = asked({ stored: 'V', held: ['W'], cluster: object('W', { adoptVolumes: true }) });
  assert.ok('waits' in other && other.waits.reason === 'VolumesOfAnotherCluster');
});

test('volumes of an earlier object are taken over if this one names them, or the owner asks', () => {
  const waiting = asked({ held: ['V'] });
  assert.ok('waits' in waiting);
  assert.match(
    waiting.waits.message,
    /records of cluster V.*kubectl patch kafkacluster c .*adoptVolumes/,
  );
  const note = clusterIdNote(object(), 'V');
  assert.deepEqual(asked({ held: ['V'], cluster: object(note) }), { clusterId: 'V' });
  assert.deepEqual(asked({ held: ['V'], cluster: object('V') }), { clusterId: 'V' });
  const cluster = object(undefined, { adoptVolumes: true });
  assert.deepEqual(asked({ held: ['V'], cluster }), { clusterId: 'V' });
});

test('a copy of an object under another name or elsewhere is another cluster', () => {
  for (const copy of ['n/other/V', 'elsewhere/c/V']) {
    assert.ok('waits' in asked({ held: ['V'], cluster: object(copy) }));
    assert.deepEqual(asked({ cluster: object(copy) }), { clusterId: idOfUid(UID) });
  }
});

test('volumes of two clusters under one broker are nobody’s guess', () => {
  const cluster = object(undefined, { adoptVolumes: true });
  const waiting = asked({ held: ['V', 'W'], cluster });
  assert.ok('waits' in waiting && waiting.waits.reason === 'VolumesDiffer');
});
