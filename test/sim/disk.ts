/**
 * The disk of a node: what was written lives in its page cache until it is flushed, and outlives the
 * process; what a power loss leaves is what was flushed, and as much of the rest as chance wants.
 */
import { DiskError } from '../../stdx/disk.ts';
import { lockOn, type MemoryDisk, memoryDisk } from '../../stdx/disk-memory.ts';
import type { Random } from './random.ts';

/** `torn`: part of what is to be written gets there, and then the write fails. */
export type DiskFault = 'ENOSPC' | 'EIO' | 'torn';

export interface SimDisk extends MemoryDisk {
  /** Every write fails from now on, until it is set back. */
  fails: DiskFault | null;
  /** Called before every write: a slow disk holds its process up. */
  stall: (() => void) | null;
  /** The node loses its power. */
  losePower(): void;
}

export function simDisk(random: Random): SimDisk {
  const inner = memoryDisk();
  /** What is on the platter. */
  let durable = new Map<string, Buffer>();
  const check = (path: string) => {
    if (disk.fails !== null)
      throw new DiskError(
        path,
        Object.assign(new Error(disk.fails), { code: disk.fails === 'torn' ? 'EIO' : disk.fails }),
      );
  };
  const keep = (path: string) => {
    const bytes = inner.files.get(path);
    if (bytes !== undefined) durable.set(path, Buffer.from(bytes));
  };
  const disk: SimDisk = {
    ...inner,
    fails: null,
    stall: null,
    open(path, options) {
      const file = inner.open(path, options);
      return {
        ...file,
        path,
        readAt: (position, target) => file.readAt(position, target),
        readAtLater: (position, target) => file.readAtLater(position, target),
        writeAt(position, buffers) {
          disk.stall?.();
          if (disk.fails === 'torn') {
            const all = Buffer.concat(buffers as Buffer[]);
            file.writeAt(position, [all.subarray(0, random.below(all.length + 1))]);
          }
          check(path);
          file.writeAt(position, buffers);
        },
        truncate(byteCount) {
          file.truncate(byteCount);
          const known = durable.get(path);
          if (known !== undefined && known.length > byteCount)
            durable.set(path, known.subarray(0, byteCount));
        },
        async flush() {
          check(path);
          keep(path);
        },
      };
    },
    as: (isAlive) => ({ ...disk, lock: (path) => lockOn(disk, path, isAlive) }),
    replaceFile(path, content) {
      check(path);
      inner.replaceFile(path, content);
      keep(path);
    },
    writeFile(path, content) {
      check(path);
      inner.writeFile(path, content);
    },
    rename(from, to) {
      inner.rename(from, to);
      for (const path of [...durable.keys()]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        durable.set(to + path.slice(from.length), durable.get(path) as Buffer);
        durable.delete(path);
      }
    },
    link(from, to) {
      const linked = inner.link(from, to);
      const safe = durable.get(from);
      if (linked && safe !== undefined) durable.set(to, safe);
      return linked;
    },
    remove(path) {
      inner.remove(path);
      for (const name of [...durable.keys()])
        if (name === path || name.startsWith(`${path}/`)) durable.delete(name);
    },
    losePower() {
      for (const [path, bytes] of [...inner.files]) {
        const safe = durable.get(path);
        if (safe === undefined) {
          // The file itself may not have made it.
          if (random.chance(0.5)) inner.files.delete(path);
          else
            inner.files.set(path, Buffer.from(bytes.subarray(0, random.below(bytes.length + 1))));
          continue;
        }
        const common = Math.min(safe.length, bytes.length);
        const kept = common + random.below(bytes.length - common + 1);
        const left = Buffer.from(bytes.subarray(0, kept));
        safe.copy(left, 0, 0, common);
        // A torn sector: the length is there, the content is not.
        if (kept > common && random.chance(0.3)) left.fill(0, common + random.below(kept - common));
        inner.files.set(path, left);
      }
      durable = new Map([...inner.files].map(([path, bytes]) => [path, Buffer.from(bytes)]));
    },
  };
  return disk;
}
