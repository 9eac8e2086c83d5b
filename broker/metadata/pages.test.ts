import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaPartitionMap } from '../../kube/kafka-objects.ts';
import { type PartitionLine, partitionKey } from '../../kube/partition-line.ts';
import { type KubeApi, KubeError, KubeUnreachable } from '../../kube/port.ts';
import { silentLogger } from '../../stdx/logger.ts';
import { Deposed, Pages } from './pages.ts';

const line = (partitionEpoch: number): PartitionLine => ({
  topic: 't',
  topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
  partition: 0,
  leader: { id: 1, epoch: 1 },
  leaderEpoch: 0,
  partitionEpoch,
  replicas: [1],
  isr: [{ id: 1, epoch: 1 }],
  elr: [],
  adding: [],
  removing: [],
});
const KEY = partitionKey(line(0).topicId, 0);

/** An API that keeps pages, and whose answers get lost when told so. */
class Stage {
  readonly kept = new Map<string, KafkaPartitionMap>();
  private version = 0;
  /** The next write happens, and nobody hears of it. */
  losesAnswer = false;

  private keep(page: KafkaPartitionMap): KafkaPartitionMap {
    const metadata = { ...page.metadata, resourceVersion: String(++this.version) };
    const kept = { ...page, metadata };
    this.kept.set(metadata.name, kept);
    if (this.losesAnswer) {
      this.losesAnswer = false;
      throw new KubeUnreachable('the connection broke');
    }
    return kept;
  }

  private readonly api = {
    list: async () => ({ items: [...this.kept.values()], resourceVersion: '' }),
    get: async (_: unknown, _namespace: string, name: string) => this.kept.get(name) ?? null,
    create: async (_: unknown, page: KafkaPartitionMap) => {
      if (this.kept.has(page.metadata.name)) throw new KubeError(409, 'AlreadyExists', 'there');
      return this.keep(page);
    },
    replace: async (_: unknown, page: KafkaPartitionMap) => {
      const { name, resourceVersion } = page.metadata;
      if (this.kept.get(name)?.metadata.resourceVersion !== resourceVersion)
        throw new KubeError(409, 'Conflict', 'the object has been modified');
      return this.keep(page);
    },
  } as unknown as KubeApi;

  async controller(controllerEpoch: number): Promise<Pages> {
    const pages = new Pages({
      api: this.api,
      logger: silentLogger,
      owner: { apiVersion: '', kind: '', name: '', uid: '' },
      namespace: 'n',
      cluster: 'c',
      controllerEpoch,
    });
    await pages.claim();
    return pages;
  }
}

test('a controller that was replaced writes no page, and hears that it was', async () => {
  const stage = new Stage();
  const old = await stage.controller(1);
  await old.write(new Map([[KEY, line(0)]]));
  const next = await stage.controller(2);
  await assert.rejects(old.write(new Map([[KEY, line(1)]])), Deposed);
  assert.equal(next.get(KEY)?.partitionEpoch, 0);
  await next.write(new Map([[KEY, line(1)]]));
  assert.equal(next.get(KEY)?.partitionEpoch, 1);
  // Nor does it claim what is not its own any more.
  await assert.rejects(stage.controller(1), Deposed);
});

test('whether a write happened is unknown until the page is read again', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  stage.losesAnswer = true;
  await pages.write(new Map([[KEY, line(1)]]));
  assert.equal(pages.get(KEY)?.partitionEpoch, 1, 'it did happen');
  await pages.write(new Map([[KEY, line(2)]]));
  assert.equal(pages.get(KEY)?.partitionEpoch, 2, 'and the page can be written again');
});

test('a page that somebody else changed is read before it is written again', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  const [[name, page]] = [...stage.kept] as [[string, KafkaPartitionMap]];
  stage.kept.set(name, { ...page, metadata: { ...page.metadata, resourceVersion: 'edited' } });
  await pages.write(new Map([[KEY, line(1)]]));
  assert.equal(pages.get(KEY)?.partitionEpoch, 0, 'what the change was decided on is not there');
  await pages.write(new Map([[KEY, line(1)]]));
  assert.equal(pages.get(KEY)?.partitionEpoch, 1);
});

const HIGH = 7;
const generationsOf = (stage: Stage) =>
  [...stage.kept.values()].map(({ spec }) => spec.storeGeneration ?? 0);

test('a page of an older API is above all that was seen once it is written, though its partitions stay', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  pages.raise(HIGH);
  assert.equal(pages.isRaised, false);
  await pages.write(new Map([[KEY, line(1)]]));
  assert.ok(generationsOf(stage).every((generation) => generation >= HIGH));
  assert.equal(pages.isRaised, true);
});

test('pages of an older API are all written again, also where no partition changes', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  pages.raise(HIGH);
  await pages.rewrite(new Map());
  assert.deepEqual([generationsOf(stage).length, pages.isRaised], [1, true]);
  assert.ok(generationsOf(stage).every((generation) => generation > HIGH));
  assert.equal((await stage.controller(2)).get(KEY)?.partitionEpoch, 0, 'its lines stand');
});

test('an API without any page has one that says how far it was', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  pages.raise(HIGH);
  assert.equal(pages.isRaised, false);
  await pages.rewrite(new Map());
  assert.equal(generationsOf(stage).length, 1);
  assert.ok(generationsOf(stage).every((generation) => generation > HIGH));
});

test('a controller whose page went back to an older one is over, though no line came or went', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  const [[name, older]] = [...stage.kept] as [[string, KafkaPartitionMap]];
  await pages.write(new Map([[KEY, line(1)]]));
  stage.kept.set(name, { ...older, metadata: { ...older.metadata, resourceVersion: 'restored' } });
  await assert.rejects(pages.write(new Map([[KEY, line(2)]])), Deposed);
});

test('a page that is claimed already is not written again', async () => {
  const stage = new Stage();
  const pages = await stage.controller(1);
  await pages.write(new Map([[KEY, line(0)]]));
  const before = [...stage.kept.values()];
  await pages.claim();
  assert.deepEqual([...stage.kept.values()], before);
});
