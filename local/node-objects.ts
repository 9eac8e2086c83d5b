/**
 * What a kubelet, a scheduler's cache and a volume provisioner say in the API, for the nodes that this
 * machine stands for: Node objects with their heartbeat, and volumes for the claims of its pods.
 */
import { Informer, type InformerDeps } from '../kube/informer.ts';
import {
  type KubeObject,
  leases,
  type Node,
  nodes,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  type Resource,
} from '../kube/objects.ts';
import { isKubeError } from '../kube/port.ts';
import { Lifetime } from '../stdx/lifetime.ts';
import type { LocalNode } from './node-agent.ts';

const HEARTBEAT_MS = 10_000;
const HEARTBEAT_NAMESPACE = 'kube-node-lease';

const persistentVolumes: Resource = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumes',
  kind: 'PersistentVolume',
  namespaced: false,
};

export interface NodeObjectsOptions {
  readonly nodes: readonly LocalNode[];
  /** Whether claims are bound by a controller elsewhere, to volumes that are made here. */
  readonly hasVolumeController: boolean;
  readonly folder: string;
  readonly onCordon: (node: string, cordoned: boolean) => void;
}

export class NodeObjects implements AsyncDisposable {
  private readonly deps: InformerDeps;
  private readonly options: NodeObjectsOptions;
  private readonly lifetime = new Lifetime();

  constructor(deps: InformerDeps, options: NodeObjectsOptions) {
    this.deps = deps;
    this.options = options;
  }

  async start(): Promise<void> {
    for (const node of this.options.nodes) await this.register(node);
    this.lifetime.own(
      this.deps.clock.every(HEARTBEAT_MS, () => {
        for (const { name } of this.options.nodes) void this.beat(name);
      }),
    );
    const ours = new Set(this.options.nodes.map(({ name }) => name));
    this.lifetime.own(
      new Informer(this.deps, nodes, {}, ({ after }) => {
        if (after !== null && ours.has(after.metadata.name))
          this.options.onCordon(after.metadata.name, after.spec?.unschedulable === true);
      }),
    );
    this.lifetime.own(
      new Informer(this.deps, persistentVolumeClaims, {}, ({ after }) => {
        if (after !== null) void this.provide(after);
      }),
    );
  }

  private now(): string {
    return new Date(this.deps.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  private async register({ name, labels }: LocalNode): Promise<void> {
    const { api } = this.deps;
    const object: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    };
    await api.apply(nodes, object, { fieldManager: 'tenure-local' });
    await this.beat(name);
    const status = {
      addresses: [
        { type: 'InternalIP', address: '127.0.0.1' },
        { type: 'Hostname', address: name },
      ],
      // No room for a scheduler's choice: pods are given to nodes here.
      capacity: { cpu: '0', memory: '0', pods: '0' },
      allocatable: { cpu: '0', memory: '0', pods: '0' },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'pods run as processes of this machine',
          lastHeartbeatTime: this.now(),
          lastTransitionTime: this.now(),
        },
      ],
      nodeInfo: { kubeletVersion: 'tenure-local' },
    };
    await api.patch(nodes, { namespace: '', name, subresource: 'status' }, { status });
  }

  private async beat(name: string): Promise<void> {
    const renewTime = new Date(this.deps.clock.nowMs()).toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime };
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: HEARTBEAT_NAMESPACE },
      spec,
    };
    try {
      await this.deps.api.apply(leases, lease, { fieldManager: 'tenure-local' });
    } catch (cause) {
      this.deps.logger.debug('a heartbeat failed', { node: name, cause });
    }
  }

  /** Every claim gets a volume of the size that it asks for: a folder of this machine. */
  private async provide(claim: PersistentVolumeClaim): Promise<void> {
    const size = claim.spec.resources?.requests?.storage ?? '1Gi';
    try {
      if (this.options.hasVolumeController) await this.makeVolume(claim, size);
      else if (claim.status?.phase !== 'Bound' || claim.status.capacity?.storage !== size) {
        const { namespace = '', name } = claim.metadata;
        const status = {
          phase: 'Bound',
          capacity: { storage: size },
          accessModes: ['ReadWriteOnce'],
        };
        const of = { namespace, name, subresource: 'status' } as const;
        await this.deps.api.patch(persistentVolumeClaims, of, { status });
      }
    } catch (cause) {
      if (!isKubeError(cause, 404, 409))
        this.deps.logger.warn('a volume could not be provided', {
          claim: claim.metadata.name,
          cause,
        });
    }
  }

  private async makeVolume(claim: PersistentVolumeClaim, size: string): Promise<void> {
    if (claim.status?.phase === 'Bound') return;
    const { namespace = '', name, uid = '' } = claim.metadata;
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `local-${uid}` },
      spec: {
        capacity: { storage: size },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: claim.spec.storageClassName ?? '',
        hostPath: { path: `${this.options.folder}/${namespace}_${name}` },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      },
    };
    await this.deps.api.create(persistentVolumes, volume as unknown as KubeObject);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lifetime[Symbol.asyncDispose]();
  }
}
