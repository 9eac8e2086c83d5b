/** Where this project lies, found from wherever the running code lies: its own folder or a bundle's. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('package.json must lie in a folder above the running code');
    folder = parent;
  }
  return folder;
}

export const ROOT = findRoot();
