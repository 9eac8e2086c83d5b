/** A whole local cluster for tests: real processes, in a folder and on ports of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { LocalCluster, type LocalMachine } from '../../local/local-cluster.ts';
import { readManifests } from '../../local/manifests.ts';
import type { LocalNode } from '../../local/node-agent.ts';
import { systemChance } from '../../stdx/chance.ts';
import { systemClock } from '../../stdx/clock.ts';
import { createLogger } from '../../stdx/logger.ts';
import { ROOT } from '../../stdx/root.ts';
import { clearNamespace, externalKubeconfig, prepareExternal } from './external.ts';

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

export { sleepMs, until } from './wait.ts';

export interface TestCluster extends AsyncDisposable {
  readonly local: LocalCluster;
  readonly bootstrap: string;
  readonly folder: string;
  readonly kubeconfig: string;
  /** Process id of a broker. */
  readonly pid: (id: number) => number;
  readonly controllerId: () => Promise<number>;
  readonly address: (id: number) => Promise<string>;
  readonly brokerLog: (id: number) => string;
  /** Its processes end; its objects stay, for another one that is started `again`. */
  readonly stop: () => Promise<void>;
}

export async function startTestCluster(
  of: {
    brokers?: number;
    folder?: string;
    manifests?: string;
    machine?: LocalMachine;
    nodes?: readonly LocalNode[];
    bootstrapPort?: number;
    /** False: it is not waited for. */
    ready?: boolean;
    /** Goes on from what was stopped, with its folder. */
    again?: boolean;
  } = {},
): Promise<TestCluster> {
  const folder = of.folder ?? mkdtempSync(join(tmpdir(), 'tenure-test-'));
  const bootstrapPort = of.bootstrapPort ?? (await freePort());
  const external =
    externalKubeconfig === null
      ? null
      : await prepareExternal(resolve(externalKubeconfig), { keeps: of.again === true });
  const local = new LocalCluster(
    {
      clock: systemClock,
      chance: systemChance,
      logger: createLogger({ level: 'error', format: 'text' }),
    },
    {
      folder,
      manifests: readManifests(join(ROOT, of.manifests ?? 'examples/quickstart')),
      brokers: of.brokers ?? null,
      bootstrapPort,
      apiPort: 0,
      reset: false,
      brokerLogFormat: 'text',
      ...(of.machine === undefined ? {} : { machine: of.machine }),
      ...(external === null ? {} : { external }),
      ...(of.nodes === undefined ? {} : { nodes: of.nodes }),
    },
  );
  await local.start();
  if (of.ready !== false) await local.ready(60_000);
  const podOf = (id: number) => `my-cluster-broker-${id}`;
  return {
    local,
    folder,
    bootstrap: `127.0.0.1:${bootstrapPort}`,
    kubeconfig: local.kubeconfig,
    pid(id) {
      const pid = local.agent.pidOf('default', podOf(id));
      if (pid === undefined) throw new Error(`broker ${id} does not run`);
      return pid;
    },
    async controllerId() {
      const lease = await local.api.get(
        {
          group: 'coordination.k8s.io',
          version: 'v1',
          plural: 'leases',
          kind: 'Lease',
          namespaced: true,
        },
        'default',
        'my-cluster-controller',
      );
      return Number(
        (lease as { spec?: { holderIdentity?: string } } | null)?.spec?.holderIdentity?.split(
          '/',
        )[0] ?? -1,
      );
    },
    async address(id) {
      const pod = await local.api.get(
        { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
        'default',
        podOf(id),
      );
      return (pod as { status?: { podIP?: string } } | null)?.status?.podIP ?? '';
    },
    brokerLog: (id) => readFileSync(join(folder, 'node/logs', `default_${podOf(id)}.log`), 'utf8'),
    stop: () => local[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      if (external !== null) await clearNamespace(local.api, 'default', 60_000);
      await local[Symbol.asyncDispose]();
      if (of.folder !== undefined) return;
      if (process.env.TENURE_KEEP_TEST_DATA)
        process.stderr.write(`kept: ${folder} ${readdirSync(folder)}\n`);
      else rmSync(folder, { recursive: true, force: true });
    },
  };
}
