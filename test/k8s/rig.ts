/**
 * A Kubernetes with nodes, by KUBECONFIG, and an image of ours on them, by TENURE_TEST_IMAGE. Everything
 * that is done here is done through kubectl and helm, as a user would.
 *
 * TENURE_TEST_CONTROL may name a command that does to machines what kubectl cannot:
 * `CONTROL cut|heal|stop|start NODE` and `CONTROL kill-api`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { KafkaCluster } from '../../kube/kafka-objects.ts';
import type { Pod } from '../../kube/objects.ts';
import { ROOT } from '../../stdx/root.ts';
import { type Outcome, runProgram } from '../support/programs.ts';
import { sleepMs, until } from '../support/wait.ts';

export const SYSTEM = 'tenure-system';
export const NAMESPACE = 'tenure-test';
export const NAME = 'my-cluster';
export const image = process.env.TENURE_TEST_IMAGE ?? null;
export const control = process.env.TENURE_TEST_CONTROL ?? null;

export const skip: false | string =
  image === null || !process.env.KUBECONFIG
    ? 'KUBECONFIG and TENURE_TEST_IMAGE name no cluster to test on'
    : false;

export function kubectl(args: readonly string[], input?: string): Promise<Outcome> {
  return runProgram('kubectl', args, {
    timeoutMs: 180_000,
    ...(input === undefined ? {} : { input }),
  });
}

/** @throws AssertionError with what kubectl said, where it failed. */
export async function ok(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, input);
  assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

export const here = (...args: string[]): readonly string[] => ['-n', NAMESPACE, ...args];

export async function steer(...args: string[]): Promise<void> {
  const { code, stderr } = await runProgram('bash', ['-c', `${control} ${args.join(' ')}`], {
    timeoutMs: 120_000,
  });
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
}

export async function helm(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram('helm', args, { timeoutMs: 180_000 });
  assert.equal(code, 0, `helm ${args[0]}: ${stderr}`);
  return stdout;
}

function imageValues(): string[] {
  const colon = (image ?? '').lastIndexOf(':');
  return [
    '--set',
    `image.repository=${image?.slice(0, colon)},image.tag=${image?.slice(colon + 1)}`,
  ];
}

export async function install(...more: string[]): Promise<void> {
  const chart = join(ROOT, 'charts/tenure');
  await helm(
    'upgrade',
    '--install',
    'tenure',
    chart,
    '--namespace',
    SYSTEM,
    '--create-namespace',
    '--wait',
    '--timeout=120s',
    ...imageValues(),
    ...more,
  );
}

export async function cluster(): Promise<KafkaCluster> {
  return JSON.parse(await ok(here('get', 'kafkacluster', NAME, '-o', 'json'))) as KafkaCluster;
}

export async function brokerPods(): Promise<Pod[]> {
  const selector = `kafka.tenure.dev/cluster=${NAME}`;
  const list = await ok(here('get', 'pods', '-l', selector, '-o', 'json'));
  return (JSON.parse(list) as { items: Pod[] }).items;
}

/** Nothing is left to do, every replica is in sync. */
export function settled(timeoutMs = 120_000): Promise<void> {
  return until('nothing is left to do', timeoutMs, async () => {
    const { code, stdout } = await kubectl(here('get', 'kafkacluster', NAME, '-o', 'json'));
    if (code !== 0) return false;
    const { status, metadata } = JSON.parse(stdout) as KafkaCluster;
    const of = (type: string) => status?.conditions?.find((one) => one.type === type)?.status;
    await sleepMs(200);
    return (
      status?.observedGeneration === metadata.generation &&
      of('Ready') === 'True' &&
      of('Progressing') === 'False' &&
      of('Degraded') === 'False'
    );
  });
}

/** Starts the pod of the load client, on a node of its own choice or on that one. */
export async function startClient(node?: string): Promise<void> {
  const outfile = join(mkdtempSync(join(tmpdir(), 'tenure-load-')), 'load.mjs');
  await build({
    entryPoints: [join(ROOT, 'test/k8s/load-client.ts')],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    outfile,
    banner: {
      js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  await kubectl(here('delete', 'configmap,pod', '-l', 'app=load', '--grace-period=0', '--force'));
  await ok(here('create', 'configmap', 'load', `--from-file=load.mjs=${outfile}`));
  await ok(here('label', 'configmap', 'load', 'app=load'));
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'load', labels: { app: 'load' } },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [
        {
          name: 'load',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '/load/load.mjs'],
          env: [{ name: 'BOOTSTRAP', value: `${NAME}-bootstrap.${NAMESPACE}.svc:9092` }],
          volumeMounts: [{ name: 'load', mountPath: '/load' }],
        },
      ],
      volumes: [{ name: 'load', configMap: { name: 'load' } }],
    },
  };
  await ok(here('apply', '-f', '-'), JSON.stringify(pod));
  await ok(here('wait', '--for=condition=Ready', 'pod/load', '--timeout=60s'));
}

/** Asks the load client. @throws Error with its words where it found something wrong. */
export async function ask(
  path: 'start' | 'end',
): Promise<{ acknowledged: number; longestMs: number }> {
  const script = `fetch('http://127.0.0.1:8080/${path}').then((r) => r.text()).then(console.log)`;
  const text = await ok(here('exec', 'load', '--', 'node', '-e', script));
  const answer = JSON.parse(text) as { error?: string; acknowledged: number; longestMs: number };
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** Does something to a cluster that is at work, and returns what its clients felt of it. */
export async function underLoad(
  what: () => Promise<void>,
  acknowledgedMin = 50,
): Promise<{ longestMs: number }> {
  await ask('start');
  await what();
  const { acknowledged, longestMs } = await ask('end');
  assert.ok(acknowledged >= acknowledgedMin, `only ${acknowledged} records were acknowledged`);
  return { longestMs };
}
