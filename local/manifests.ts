/** The objects of YAML files, checked well enough to say what is wrong in a sentence. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../kube/objects.ts';

export class BrokenManifest extends Error {}

function objectsIn(path: string): KubeObject[] {
  const documents = parseAllDocuments(readFileSync(path, 'utf8'));
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined)
      throw new BrokenManifest(`${path} is not YAML: ${error.message.split('\n')[0]}`);
    const object = document.toJS() as Partial<KubeObject> | null;
    if (object === null) return [];
    if (!object.apiVersion || !object.kind || !object.metadata?.name) {
      throw new BrokenManifest(
        `${path}: every object must have apiVersion, kind and metadata.name`,
      );
    }
    return [object as KubeObject];
  });
}

/** Every object of a file, or of the YAML files of a folder in order of name. @throws BrokenManifest */
export function readManifests(path: string): KubeObject[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw new BrokenManifest(`${path} does not exist`);
  }
  if (!isFolder) return objectsIn(path);
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .flatMap((name) => objectsIn(join(path, name)));
}
