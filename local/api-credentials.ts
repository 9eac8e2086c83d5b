/**
 * What the embedded API and its clients know each other by: a token that whoever may read the kubeconfig has,
 * and a certificate, since kubectl shows no token to a server without one. Both live as long as the folder.
 */
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority, signServer } from '../operator/cluster/authority.ts';
import type { Chance } from '../stdx/chance.ts';
import { writePrivate } from './node-folders.ts';

const DAY_MS = 24 * 3600 * 1000;
const VALIDITY_DAYS = 3650;
const RENEWAL_DAYS = 365;
const TOKEN_BYTES = 32;

export interface ApiCredentials {
  readonly token: string;
  readonly ca: string;
  readonly tls: { readonly cert: string; readonly key: string };
  /** Where a pod finds `token` and `ca.crt`, as in a service account's folder. */
  readonly folder: string;
}

/** For a file that something else writes. */
export function keepPrivate(path: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
  else writeFileSync(path, '', { mode: 0o600, flag: 'wx' });
}

function isUsable(certificate: string, hosts: readonly string[], nowMs: number): boolean {
  try {
    const x509 = new X509Certificate(certificate);
    const names = (x509.subjectAltName ?? '').split(', ');
    return (
      Date.parse(x509.validTo) - nowMs > RENEWAL_DAYS * DAY_MS &&
      hosts.every((host) => names.includes(`DNS:${host}`) || names.includes(`IP Address:${host}`))
    );
  } catch {
    return false;
  }
}

/** Those of a folder, made where they are not there, or not for all these names of this machine. */
export async function apiCredentials(
  folder: string,
  of: { readonly hosts: readonly string[]; readonly nowMs: number; readonly chance: Chance },
): Promise<ApiCredentials> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const read = (name: string) => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  let token = read('token');
  if (token === '') {
    token = of.chance.bytes(TOKEN_BYTES).toString('base64url');
    writePrivate(join(folder, 'token'), token);
  }
  if (read('tls.key') === '' || !isUsable(read('tls.crt'), of.hosts, of.nowMs)) {
    const now = new Date(of.nowMs).toISOString();
    const until = new Date(of.nowMs + VALIDITY_DAYS * DAY_MS);
    // The authority signs this one certificate: its key is kept nowhere.
    const authority = await makeAuthority('embedded API', now, until);
    const pair = await signServer(authority, { names: of.hosts, forClients: false, now, until });
    writePrivate(join(folder, 'ca.crt'), authority.certificate);
    writePrivate(join(folder, 'tls.crt'), pair.certificate);
    writePrivate(join(folder, 'tls.key'), pair.key);
  }
  return {
    token,
    ca: read('ca.crt'),
    tls: { cert: read('tls.crt'), key: read('tls.key') },
    folder,
  };
}
