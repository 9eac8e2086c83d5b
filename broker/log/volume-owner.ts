/** Whom log directories belong to: read without opening anything, before it is known whether they may be. */
import type { Disk } from '../../stdx/disk.ts';
import type { Logger } from '../../stdx/logger.ts';
import { DirectoryRecords, type Identity } from './directory-record.ts';

/** Kafka's file that says whose a log directory is. */
export const META = 'meta.properties';

export function readMeta(disk: Disk, path: string): Identity | null {
  const text = disk.readText(`${path}/${META}`);
  if (text === null) return null;
  const of = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const nodeId = of('node\\.id');
  const identity = {
    clusterId: of('cluster\\.id'),
    nodeId: Number(nodeId),
    directoryId: of('directory\\.id'),
  };
  return /^\d+$/.test(nodeId) && identity.directoryId !== '' ? identity : null;
}

/** Whether nothing is lost where a directory becomes another cluster's. */
export function isBlank(disk: Disk, path: string, records: DirectoryRecords): boolean {
  return records.lineCount === 0 && !disk.list(path).some((name) => /-\d+$/.test(name));
}

/** Ids of clusters that something in the folders belongs to. */
export function clustersOf(
  deps: { readonly disk: Disk; readonly logger: Logger },
  paths: readonly string[],
): string[] {
  const { disk } = deps;
  const ids = paths.flatMap((path) => {
    if (!disk.exists(path)) return [];
    const records = new DirectoryRecords(deps, path);
    const identity = records.identity ?? readMeta(disk, path);
    return identity === null || isBlank(disk, path, records) ? [] : [identity.clusterId];
  });
  return [...new Set(ids)];
}
