/** A node of one machine: runs the pods of the embedded API as child processes, as a kubelet would. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Informer, type InformerDeps } from '../kube/informer.ts';
import type { Condition, Pod, Secret } from '../kube/objects.ts';
import { pods as podResource, secrets as secretResource } from '../kube/objects.ts';
import { isKubeError, type KubeApi } from '../kube/port.ts';
import type { Clock } from '../stdx/clock.ts';
import type { Logger } from '../stdx/logger.ts';
import { NodeFolders, UnsafePath } from './node-folders.ts';
import { type PodFacts, PodProcess } from './pod-process.ts';

/** Where a pod runs, if not on a loopback address of this machine. */
export interface PodPlace {
  readonly addressOf: (podName: string) => string;
  readonly commandAt: (address: string, command: readonly string[]) => readonly string[];
}

/** A node that this machine stands for; one machine may stand for several. */
export interface LocalNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface NodeAgentOptions {
  readonly nodes: readonly LocalNode[];
  /** Gives a pod to a node. */
  readonly bind: (pod: Pod, node: LocalNode) => Promise<void>;
  /** Environment by which a pod's process proves who it is, where the API asks for that. */
  readonly credentialsOf: (pod: Pod) => Promise<Readonly<Record<string, string>>>;
  /** Volumes, logs and what addresses were given are kept here. */
  readonly folder: string;
  readonly clusterEnv: Readonly<Record<string, string>>;
  readonly commandFor: PodFacts['commandFor'];
  readonly place: PodPlace | null;
}

const uidOf = ({ metadata }: Pod) => metadata.uid ?? 'none';

export class NodeAgent implements AsyncDisposable {
  private readonly api: KubeApi;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly options: NodeAgentOptions;
  private readonly folders: NodeFolders;
  private readonly pods: Informer<Pod>;
  private readonly processes = new Map<string, PodProcess>();
  private readonly secrets: Informer<Secret>;
  private readonly addresses: Map<string, string>;
  private readonly busy = new Set<string>();
  private readonly again = new Set<string>();
  /** Nodes that take no new pods. */
  private readonly cordoned = new Set<string>();
  private closing = false;

  constructor(deps: InformerDeps, options: NodeAgentOptions) {
    this.api = deps.api;
    this.clock = deps.clock;
    this.logger = deps.logger;
    this.options = options;
    this.folders = new NodeFolders(options.folder);
    this.addresses = this.readAddresses();
    this.endLeftovers();
    this.secrets = new Informer(deps, secretResource, {}, ({ after }) => {
      if (after === null) return;
      for (const pod of this.pods?.all() ?? [])
        if (pod.metadata.namespace === after.metadata.namespace) this.writeSecret(pod, after);
    });
    this.pods = new Informer(deps, podResource, {}, ({ before, after }) => {
      const { namespace, name } = (after ?? before)?.metadata ?? { name: '' };
      this.sync(`${namespace}/${name}`);
    });
  }

  /** A node is cordoned, or takes pods again. */
  setCordoned(name: string, cordoned: boolean): void {
    if (cordoned) this.cordoned.add(name);
    else if (this.cordoned.delete(name))
      for (const { metadata, spec } of this.pods.all())
        if (spec.nodeName === undefined) this.sync(`${metadata.namespace}/${metadata.name}`);
  }

  private get pidFile(): string {
    return this.folders.own('pids.json');
  }

  /** Containers of an agent that was killed itself still run: they are ended, and only they. */
  private endLeftovers(): void {
    if (!existsSync(this.pidFile)) return;
    for (const pid of JSON.parse(readFileSync(this.pidFile, 'utf8')) as number[]) {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        // A process of ours names this folder in its environment; a stranger with that id does not.
        if (
          environment.includes(`${resolve(this.options.folder)}/`) ||
          environment.includes(`=${this.options.folder}/`)
        )
          process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    rmSync(this.pidFile);
  }

  private notePids(): void {
    const pids = [...this.processes.values()].flatMap(({ pid }) =>
      pid === undefined ? [] : [pid],
    );
    writeFileSync(this.pidFile, JSON.stringify(pids));
  }

  private get addressFile(): string {
    return this.folders.own('addresses.json');
  }

  private readAddresses(): Map<string, string> {
    if (!existsSync(this.addressFile)) return new Map();
    return new Map(
      Object.entries(JSON.parse(readFileSync(this.addressFile, 'utf8')) as Record<string, string>),
    );
  }

  /** Clusters in different folders get different networks, so that they may run side by side. */
  private get network(): number {
    return (
      16 +
      (createHash('sha256').update(resolve(this.options.folder)).digest().readUInt32BE(0) % 230)
    );
  }

  /** A loopback address of its own for each pod name, the same after a restart. */
  private addressOf(key: string): string {
    const { place } = this.options;
    if (place !== null) return place.addressOf(key.split('/')[1] ?? key);
    const known = this.addresses.get(key);
    if (known !== undefined) return known;
    const used = new Set(this.addresses.values());
    for (let i = 0; i < 60_000; i++) {
      const address = `127.${this.network}.${Math.floor(i / 250)}.${1 + (i % 250)}`;
      if (used.has(address)) continue;
      this.addresses.set(key, address);
      writeFileSync(this.addressFile, JSON.stringify(Object.fromEntries(this.addresses)));
      return address;
    }
    throw new Error('there are no addresses left for pods');
  }

  private sync(key: string): void {
    if (this.busy.has(key)) {
      this.again.add(key);
      return;
    }
    this.busy.add(key);
    void this.syncPod(key)
      .catch((cause: unknown) => {
        this.logger.warn('running a pod failed, trying again', { pod: key, cause });
        this.clock.after(500, () => this.sync(key));
      })
      .finally(() => {
        this.busy.delete(key);
        if (this.again.delete(key)) this.sync(key);
      });
  }

  private async syncPod(key: string): Promise<void> {
    if (this.closing) return;
    await this.pods.synced;
    const [namespace = '', name = ''] = key.split('/');
    const pod = this.pods.get(name, namespace);
    const running = this.processes.get(key);
    if (pod === null || (running !== undefined && running.uid !== pod.metadata.uid)) {
      this.processes.delete(key);
      await running?.stop(0);
      if (running !== undefined) this.folders.dropEphemeral(running.uid);
      if (pod !== null) this.again.add(key);
      return;
    }
    if (pod.metadata.deletionTimestamp !== undefined) return this.terminate(key, pod, running);
    const { nodes } = this.options;
    if (pod.spec.nodeName === undefined) return this.bind(pod);
    if (!nodes.some((node) => node.name === pod.spec.nodeName)) return;
    if (running === undefined) {
      await this.secrets.synced;
      if (!this.hasSecrets(pod)) throw new Error('a Secret that it mounts does not exist');
      const credentials = await this.options.credentialsOf(pod);
      const facts = this.factsOf(key, pod, credentials);
      this.processes.set(key, new PodProcess(this.clock, pod, facts, () => this.sync(key)));
    }
    this.notePids();
    await this.writeStatus(key, pod);
  }

  /** Pods of a set go round the nodes, as a scheduler would spread them. */
  private async bind(pod: Pod): Promise<void> {
    const { nodes, bind } = this.options;
    const ordinal = Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? 0);
    const open = nodes.filter(({ name }) => !this.cordoned.has(name));
    const node = open[ordinal % Math.max(open.length, 1)];
    if (node === undefined) return;
    try {
      await bind(pod, node);
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
    }
  }

  /** Writes every Secret that a pod mounts; false where one is not there yet. */
  private hasSecrets(pod: Pod): boolean {
    return (pod.spec.volumes ?? []).every(({ secret }) => {
      const { secretName } = (secret ?? {}) as { secretName?: string };
      if (secretName === undefined) return true;
      const found = this.secrets.get(secretName, pod.metadata.namespace);
      if (found !== null) this.writeSecret(pod, found);
      return found !== null;
    });
  }

  /** As files of the pods that mount it, also after it has changed. */
  private writeSecret(pod: Pod, { data = {}, metadata }: Secret): void {
    for (const { name, secret } of pod.spec.volumes ?? []) {
      if ((secret as { secretName?: string } | undefined)?.secretName !== metadata.name) continue;
      for (const [file, value] of Object.entries(data)) {
        try {
          this.folders.writeSecret(uidOf(pod), name, file, Buffer.from(value, 'base64'));
        } catch (cause) {
          if (!(cause instanceof UnsafePath)) throw cause;
          this.logger.warn('a Secret cannot be mounted', { secret: metadata.name, cause });
        }
      }
    }
  }

  private async terminate(key: string, pod: Pod, running: PodProcess | undefined): Promise<void> {
    await running?.stop((pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000);
    this.processes.delete(key);
    this.folders.dropEphemeral(uidOf(pod));
    const { namespace = '', name, uid } = pod.metadata;
    try {
      await this.api.delete(podResource, namespace, name, {
        gracePeriodSeconds: 0,
        ...(uid === undefined ? {} : { uid }),
      });
    } catch (cause) {
      if (!isKubeError(cause, 404, 409)) throw cause;
    }
  }

  private factsOf(key: string, pod: Pod, credentials: Readonly<Record<string, string>>): PodFacts {
    const volumes = new Map<string, string>();
    for (const volume of pod.spec.volumes ?? []) {
      const claim = (volume.persistentVolumeClaim as { claimName?: string } | undefined)?.claimName;
      const folder =
        claim === undefined
          ? this.folders.ephemeral(uidOf(pod), volume.name)
          : this.folders.claim(pod.metadata.namespace ?? '', claim);
      volumes.set(volume.name, folder);
    }
    const { clusterEnv, commandFor, place } = this.options;
    const ip = this.addressOf(key);
    return {
      ip,
      volumes,
      clusterEnv: { ...clusterEnv, ...credentials },
      commandFor: (command) =>
        place === null ? commandFor(command) : place.commandAt(ip, commandFor(command)),
      logPath: this.folders.log(pod.metadata.namespace ?? '', pod.metadata.name),
    };
  }

  private async writeStatus(key: string, pod: Pod): Promise<void> {
    const process = this.processes.get(key);
    if (process === undefined) return;
    const { ready, restartCount, state, lastState } = process.status();
    const now = new Date(this.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = (type: string, holds: boolean): Condition => {
      const before = pod.status?.conditions?.find((one) => one.type === type);
      const status = holds ? 'True' : 'False';
      return {
        type,
        status,
        reason: '',
        message: '',
        lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
      };
    };
    const container = pod.spec.containers[0];
    const status = {
      phase: state.terminated ? 'Failed' : 'Running',
      podIP: process.ip,
      podIPs: [{ ip: process.ip }],
      hostIP: '127.0.0.1',
      startTime: pod.status?.startTime ?? now,
      conditions: [
        condition('Initialized', true),
        condition('PodScheduled', true),
        condition('ContainersReady', ready),
        condition('Ready', ready),
      ],
      containerStatuses: [
        {
          name: container?.name ?? '',
          image: container?.image ?? '',
          ready,
          started: true,
          restartCount,
          state,
          ...(lastState === undefined ? {} : { lastState }),
        },
      ],
    };
    if (JSON.stringify(status) === JSON.stringify(pod.status)) return;
    const { namespace = '', name } = pod.metadata;
    try {
      await this.api.patch(podResource, { namespace, name, subresource: 'status' }, { status });
    } catch (cause) {
      if (!isKubeError(cause, 404)) throw cause;
    }
  }

  logsOf(namespace: string, pod: string, tailLines: number | null): string | null {
    return this.processes.get(`${namespace}/${pod}`)?.logs(tailLines) ?? null;
  }

  /** Process id of a pod's container, for tests that kill it. */
  pidOf(namespace: string, pod: string): number | undefined {
    return this.processes.get(`${namespace}/${pod}`)?.pid;
  }

  get podCount(): number {
    return this.processes.size;
  }

  /** Stops every container in good order; the pods stay in the API and run again at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing = true;
    this.pods[Symbol.dispose]();
    this.secrets[Symbol.dispose]();
    await Promise.all([...this.processes.values()].map((process) => process.stop(30_000)));
    rmSync(this.pidFile, { force: true });
  }
}
