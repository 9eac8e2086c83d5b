/**
 * Objects, their versions and what happened to them: in memory, written through to one SQLite
 * file. Knows keys and versions, not kinds.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { KubeObject } from '../objects.ts';
import { ApiError } from './api-error.ts';

/** How far back a watch may start. */
const HISTORY_MAX = 20_000;
/** As etcd has it: what grows without end here would fail on a real API server. */
const OBJECT_BYTES_MAX = 1.5 * 1024 * 1024;

export interface StoredEvent {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** `group/plural`, without the version. */
  readonly collection: string;
  readonly object: KubeObject;
  readonly before: KubeObject | null;
}

export type StoreListener = (event: StoredEvent) => void;

export class Store implements Disposable {
  private readonly collections = new Map<string, Map<string, KubeObject>>();
  private readonly history: StoredEvent[] = [];
  private readonly listeners = new Set<StoreListener>();
  private readonly database: DatabaseSync;
  private readonly insert: StatementSync;
  private readonly erase: StatementSync;
  private readonly note: StatementSync;
  version = 1;
  /** Watches may start from here on. */
  private oldest = 1;

  /** `path` may be ':memory:'. @throws Error where the file is not such a database. */
  constructor(path: string) {
    this.database = new DatabaseSync(path);
    this.exclusively(
      path,
      `
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS objects (collection TEXT, key TEXT, body TEXT, PRIMARY KEY (collection, key));
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
    `,
    );
    this.insert = this.database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?)');
    this.erase = this.database.prepare('DELETE FROM objects WHERE collection = ? AND key = ?');
    this.note = this.database.prepare("INSERT OR REPLACE INTO meta VALUES ('version', ?)");
    for (const row of this.database.prepare('SELECT collection, key, body FROM objects').all()) {
      this.collection(row.collection as string).set(
        row.key as string,
        JSON.parse(row.body as string),
      );
    }
    const saved = this.database.prepare("SELECT value FROM meta WHERE name = 'version'").get();
    this.version = Number(saved?.value ?? 1);
    this.oldest = this.version;
  }

  /** Two processes that keep state in one file would each miss what the other writes. */
  private exclusively(path: string, sql: string): void {
    try {
      this.database.exec(sql);
      this.database.exec("INSERT OR IGNORE INTO meta VALUES ('version', '1')");
    } catch (cause) {
      const locked = (cause as Error).message.includes('locked');
      throw locked
        ? new Error(
            `${path} is in use by another process: stop it, or choose another folder with --data`,
          )
        : cause;
    }
  }

  /** A store of its own with the same objects, in memory: what is done to it stays there. */
  copy(): Store {
    const copy = new Store(':memory:');
    for (const [name, objects] of this.collections) copy.collections.set(name, new Map(objects));
    copy.version = this.version;
    return copy;
  }

  private collection(name: string): Map<string, KubeObject> {
    let objects = this.collections.get(name);
    if (objects === undefined) {
      objects = new Map();
      this.collections.set(name, objects);
    }
    return objects;
  }

  get(collection: string, key: string): KubeObject | null {
    return this.collections.get(collection)?.get(key) ?? null;
  }

  list(collection: string): KubeObject[] {
    return [...(this.collections.get(collection)?.values() ?? [])];
  }

  /** Every object of every kind. */
  *all(): Generator<{ collection: string; object: KubeObject }> {
    for (const [collection, objects] of this.collections) {
      for (const object of objects.values()) yield { collection, object };
    }
  }

  /** @throws ApiError 413 where it is too large. */
  put(collection: string, key: string, object: KubeObject): KubeObject {
    const objects = this.collection(collection);
    const before = objects.get(key) ?? null;
    const version = this.version + 1;
    const stored = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(version) },
    };
    const body = JSON.stringify(stored);
    if (body.length > OBJECT_BYTES_MAX)
      throw new ApiError(
        413,
        'RequestEntityTooLarge',
        `an object must not exceed ${OBJECT_BYTES_MAX} bytes, ${key} would have ${body.length}`,
      );
    this.insert.run(collection, key, body);
    this.version = version;
    objects.set(key, stored);
    this.note.run(String(version));
    this.emit({
      version,
      type: before === null ? 'ADDED' : 'MODIFIED',
      collection,
      object: stored,
      before,
    });
    return stored;
  }

  remove(collection: string, key: string): void {
    const before = this.collections.get(collection)?.get(key);
    if (before === undefined) return;
    const version = ++this.version;
    this.collection(collection).delete(key);
    this.erase.run(collection, key);
    this.note.run(String(version));
    const object = {
      ...before,
      metadata: { ...before.metadata, resourceVersion: String(version) },
    };
    this.emit({ version, type: 'DELETED', collection, object, before });
  }

  private emit(event: StoredEvent): void {
    this.history.push(event);
    if (this.history.length > HISTORY_MAX * 1.2) {
      const dropped = this.history.splice(0, this.history.length - HISTORY_MAX);
      this.oldest = (dropped.at(-1) as StoredEvent).version;
    }
    for (const listener of [...this.listeners]) listener(event);
  }

  /** Events after `version`, or null where they are no longer known. */
  since(version: number): StoredEvent[] | null {
    if (version < this.oldest) return null;
    return this.history.filter((event) => event.version > version);
  }

  listen(listener: StoreListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}
