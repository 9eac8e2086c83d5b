/** From brokers that speak plainly to brokers that prove who they are, one step after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Pod, StatefulSet } from '../../kube/objects.ts';
import type { Observed } from './observed.ts';
import { type PeerTls, peerTlsOf, planPeerTls } from './peer-tls-core.ts';

const STEPS = ['none', 'accept', 'dial', 'require'] as const;

const setOf = (mode: PeerTls, revision: string, replicas = 3) =>
  ({
    metadata: { name: 's', generation: 1 },
    spec: {
      replicas,
      template: {
        spec: {
          containers: [{ env: mode === 'none' ? [] : [{ name: 'TENURE_PEER_TLS', value: mode }] }],
        },
      },
    },
    status: { observedGeneration: 1, updateRevision: revision },
  }) as unknown as StatefulSet;

const podOf = (revision: string, isUp = true) =>
  ({
    metadata: { name: 'p-0', labels: { 'controller-revision-hash': revision } },
    status: { conditions: [{ type: 'Ready', status: isUp ? 'True' : 'False' }] },
  }) as unknown as Pod;

const observed = (brokers: boolean | undefined, set: StatefulSet | null, pods: Pod[]) =>
  ({
    cluster: {
      spec: { replicas: 3, tls: brokers === undefined ? {} : { brokers } },
    } as KafkaCluster,
    statefulSet: set,
    pods,
  }) as unknown as Observed;

test('a step is taken when all brokers have taken the one before, and not sooner', () => {
  const all = [podOf('now'), podOf('now'), podOf('now')];
  for (const [i, mode] of STEPS.entries()) {
    const next = STEPS[Math.min(i + 1, 3)];
    assert.equal(planPeerTls(observed(true, setOf(mode, 'now'), all)), next);
    for (const late of [podOf('before'), podOf('now', false)])
      assert.equal(planPeerTls(observed(true, setOf(mode, 'now'), [...all.slice(1), late])), mode);
    assert.equal(planPeerTls(observed(true, setOf(mode, 'now'), all.slice(1))), mode);
    assert.equal(planPeerTls(observed(false, setOf(mode, 'now'), all)), STEPS[Math.max(i - 1, 0)]);
  }
});

test('while the cluster sleeps there is nobody to wait for', () => {
  assert.equal(planPeerTls(observed(true, setOf('none', 'now', 0), [])), 'require');
});

test('who says nothing keeps what there is, and a way that was begun is gone to its end', () => {
  const all = [podOf('now'), podOf('now'), podOf('now')];
  const plan = (mode: PeerTls) => planPeerTls(observed(undefined, setOf(mode, 'now'), all));
  assert.deepEqual(STEPS.map(plan), ['none', 'dial', 'require', 'require']);
});

test('brokers of an earlier operator, which had TLS or had none, are known by their folder', () => {
  const set = setOf('none', 'now');
  (set.spec.template.spec.containers[0] as unknown as { env: object[] }).env.push({
    name: 'TENURE_PEER_TLS_DIR',
    value: '/x',
  });
  assert.equal(peerTlsOf(set), 'require');
});

test('whatever is wanted in between, brokers that run beside each other are one step apart', () => {
  // Pods are replaced one by one, and what is wanted may change at any time.
  const act = fc.oneof(
    fc.record({ want: fc.constantFrom(true, false, undefined) }),
    fc.record({ replace: fc.nat(2) }),
    fc.record({ plan: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...STEPS), fc.array(act, { maxLength: 60 }), (start, acts) => {
      let want: boolean | undefined;
      let set = setOf(start, start);
      const running: PeerTls[] = [start, start, start];
      for (const one of acts as { want?: boolean; replace?: number; plan?: boolean }[]) {
        if ('want' in one) want = one.want;
        else if (one.replace !== undefined) running[one.replace] = peerTlsOf(set);
        else {
          const next = planPeerTls(
            observed(
              want,
              set,
              running.map((mode) => podOf(mode)),
            ),
          );
          set = setOf(next, next);
        }
        const places = running.map((mode) => STEPS.indexOf(mode));
        assert.ok(Math.max(...places) - Math.min(...places) <= 1, running.join(' '));
      }
    }),
    { numRuns: 2_000 },
  );
});
