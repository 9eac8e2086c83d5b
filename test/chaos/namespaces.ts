/**
 * Network namespaces of this run's own: one for the clients and the API, one for each broker, and a
 * bridge between them. Everything in them reaches nothing else. Linux, root.
 */
import { spawnSync } from 'node:child_process';
import type { LocalMachine } from '../../local/local-cluster.ts';

const NET = '10.77.0';
const HUB_ADDRESS = `${NET}.1`;
/** A neighbour that does not exist: what is sent there is lost without a word. */
const NOBODY = '02:00:00:00:00:99';

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${String(stderr).trim()}`);
}

/** A namespace to live in; null where this machine does not allow it. */
export function makeHub(): { readonly name: string; readonly remove: () => void } | null {
  const name = `tenure-chaos-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return null;
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return { name, remove: () => void spawnSync('ip', ['netns', 'del', name]) };
}

/** A command in a namespace; `ip netns exec` would hide what the machine mounts. */
export const inNamespace = (name: string, command: readonly string[]): string[] => [
  'nsenter',
  `--net=/run/netns/${name}`,
  ...command,
];

/** The brokers' side, made from inside of the hub. */
export class BrokerNetworks implements Disposable {
  private readonly hub: string;
  private readonly names = new Map<number, string>();

  constructor(hub: string, brokers: number) {
    this.hub = hub;
    ip('link', 'add', 'br0', 'type', 'bridge');
    ip('addr', 'add', `${HUB_ADDRESS}/24`, 'dev', 'br0');
    ip('link', 'set', 'br0', 'up');
    for (let id = 0; id < brokers; id++) this.add(id);
  }

  private add(id: number): void {
    const name = `${this.hub}-b${id}`;
    this.names.set(id, name);
    ip('netns', 'add', name);
    ip('link', 'add', `v${id}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', `v${id}`, 'master', 'br0', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'addr', 'add', `${addressOf(id)}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  }

  readonly machine: LocalMachine = {
    apiHost: HUB_ADDRESS,
    addressOf: (podName) => addressOf(Number(podName.split('-').at(-1))),
    commandAt: (address, command) =>
      inNamespace(this.names.get(Number(address.split('.').at(-1)) - 10) ?? this.hub, command),
  };

  /** The broker reaches nobody, and nobody reaches it. */
  isolate(id: number): void {
    ip('link', 'set', `v${id}`, 'down');
  }
  join(id: number): void {
    ip('link', 'set', `v${id}`, 'up');
  }

  /** What one broker sends to the other is lost. */
  cut(from: number, to: number): void {
    const name = this.names.get(from) as string;
    const neighbour = [addressOf(to), 'lladdr', NOBODY, 'dev', 'eth0', 'nud', 'permanent'];
    ip('-n', name, 'neigh', 'replace', ...neighbour);
  }
  heal(from: number, to: number): void {
    const name = this.names.get(from) as string;
    ip('-n', name, 'neigh', 'del', addressOf(to), 'dev', 'eth0');
  }

  [Symbol.dispose](): void {
    for (const name of this.names.values()) spawnSync('ip', ['netns', 'del', name]);
  }
}

function addressOf(id: number): string {
  return `${NET}.${10 + id}`;
}
