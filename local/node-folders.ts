/**
 * Where a node keeps what belongs to pods. Their names come from objects that anybody with the API's token may
 * make, so every path is put together here: of names that are one component each, in a folder that is really
 * where it seems to be.
 */
import { mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** What Kubernetes allows in names of objects, of volumes and of the keys of a Secret, and no more. */
const NAME = /^[-._a-zA-Z0-9]{1,253}$/;

/** A name that is no name of a file in a folder. */
export class UnsafePath extends Error {}

function checked(name: string): string {
  if (typeof name !== 'string' || !NAME.test(name) || name === '.' || name === '..')
    throw new UnsafePath(`${JSON.stringify(name)} must not name a file`);
  return name;
}

/** Writes what only the user of this machine may read, in one step, whatever lies at that path. */
export function writePrivate(path: string, text: string | Buffer): void {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode: 0o600, flag: 'wx' });
  renameSync(next, path);
}

export class NodeFolders {
  private readonly root: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.root = realpathSync(folder);
  }

  /** @throws UnsafePath where a name leads elsewhere. */
  private path(...names: readonly string[]): string {
    return join(this.root, ...names.map(checked));
  }

  /** @throws UnsafePath where a name, or a link on the way, leads elsewhere. */
  private made(...names: readonly string[]): string {
    const path = this.path(...names);
    mkdirSync(path, { recursive: true });
    if (realpathSync(path) !== path)
      throw new UnsafePath(`${path} must not be reached through a link`);
    return path;
  }

  /** The volume of a claim. */
  claim(namespace: string, claimName: string): string {
    return this.made('volumes', `${checked(namespace)}_${checked(claimName)}`);
  }

  /** A volume that lives as long as its pod. */
  ephemeral(podUid: string, volume: string): string {
    return this.made('ephemeral', podUid, volume);
  }

  /** What a Secret holds, as a file of a pod's volume. */
  writeSecret(podUid: string, volume: string, file: string, content: Buffer): void {
    writePrivate(join(this.ephemeral(podUid, volume), checked(file)), content);
  }

  dropEphemeral(podUid: string): void {
    rmSync(this.path('ephemeral', podUid), { recursive: true, force: true });
  }

  log(namespace: string, pod: string): string {
    return join(this.made('logs'), `${checked(namespace)}_${checked(pod)}.log`);
  }

  serviceAccount(podUid: string): string {
    return this.made('service-accounts', podUid);
  }

  /** A file of the node's own. */
  own(name: 'pids.json' | 'addresses.json'): string {
    return resolve(this.root, name);
  }
}
