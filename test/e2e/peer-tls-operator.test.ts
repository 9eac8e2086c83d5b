/** The operator turns TLS between brokers on: certificates first, then one step after the other, each on all. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import { brokerNamedBy } from '../../kube/broker-identity.ts';
import { kafkaClusters } from '../../kube/kafka-objects.ts';
import { type Pod, pods, secrets, statefulSets } from '../../kube/objects.ts';
import { until } from '../support/local.ts';
import { OperatorStage } from '../support/operator-stage.ts';

const STEPS = ['none', 'accept', 'dial', 'require'];
let stage: OperatorStage;
before(async () => {
  stage = await OperatorStage.open();
});
after(() => stage?.[Symbol.asyncDispose]());

const modeOf = (containers: Pod['spec']['containers']) =>
  containers[0]?.env?.find(({ name }) => name === 'TENURE_PEER_TLS')?.value ?? 'none';

async function running(): Promise<string[]> {
  const { items } = await stage.api.list(pods, { namespace: 'default' });
  return items.map(({ spec }) => modeOf(spec.containers));
}

async function wanted(): Promise<string> {
  const set = await stage.api.get(statefulSets, 'default', 'c-broker');
  return set === null ? '' : modeOf(set.spec.template.spec.containers);
}

test('on, and off again: brokers beside each other are never more than a step apart', async () => {
  await using operator = stage.operator(stage.api);
  await operator.start();
  await stage.createCluster('c', { replicas: 3, tls: { brokers: false } });
  await until('there are three', 20_000, async () => (await running()).length === 3);
  const seen: string[] = [];
  for (const [brokers, end] of [
    [true, 'require'],
    [false, 'none'],
  ] as const) {
    const at = { namespace: 'default', name: 'c' };
    await stage.api.patch(kafkaClusters, at, { spec: { tls: { brokers } } });
    await until(`all are at ${end}`, 60_000, async () => {
      const modes = await running();
      const places = modes.map((mode) => STEPS.indexOf(mode));
      assert.ok(
        places.length === 0 || Math.max(...places) - Math.min(...places) <= 1,
        modes.join(),
      );
      const next = await wanted();
      if (seen.at(-1) !== next) seen.push(next);
      return next === end && modes.length === 3 && modes.every((mode) => mode === end);
    });
    if (!brokers) continue;
    const secret = await stage.api.get(secrets, 'default', 'c-peers');
    for (const id of [0, 1, 2]) {
      const pem = Buffer.from(secret?.data?.[`broker-${id}.crt`] ?? '', 'base64').toString();
      const names = new X509Certificate(pem).subjectAltName;
      assert.equal(brokerNamedBy(names, { namespace: 'default', cluster: 'c' }), id);
    }
  }
  for (const [i, step] of seen.slice(1).entries())
    assert.equal(Math.abs(STEPS.indexOf(step) - STEPS.indexOf(seen[i] as string)), 1, seen.join());
});
