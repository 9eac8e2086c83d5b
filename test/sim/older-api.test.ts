/** The API forgets what it had said, or all that it held, under brokers that run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../../kube/conditions.ts';
import { type KafkaCluster, kafkaClusters, RECOVERED_CONDITION } from '../../kube/kafka-objects.ts';
import { SimOwner } from './owner.ts';
import { Stage } from './stage.ts';
import { CLUSTER, NAMESPACE, type SimNode } from './world.ts';

const isrOf = (stage: Stage) => stage.line?.isr.map(({ id }) => id).sort() ?? [];
const isWhole = (stage: Stage) => stage.line?.leader !== null && isrOf(stage).length === 3;

function recovered({ world }: Stage) {
  const { api } = world.kube;
  const cluster = api.get(world.kube.kindOf(kafkaClusters), NAMESPACE, CLUSTER) as KafkaCluster;
  return conditionOf(cluster.status?.conditions, RECOVERED_CONDITION);
}

async function produce(stage: Stage, times: number): Promise<void> {
  for (let done = 0, tries = 0; done < times; tries++) {
    assert.ok(tries < 100, 'nobody takes what is sent');
    const { client, leader } = stage;
    const error = await stage.answer(client.produce(leader)).catch(() => 'NETWORK_EXCEPTION');
    if (error === 'NONE') done++;
    else await stage.world.run(300);
  }
}

async function endOf(stage: Stage): Promise<number> {
  await stage.world.run(2_000);
  return (await stage.answer(stage.client.fetch(stage.leader, 0))).highWatermark;
}

/** One broker was away when records were acknowledged, and the API says by now that it leads and never left. */
async function forgetful() {
  const stage = await Stage.begin(3);
  const { world } = stage;
  await produce(stage, 3);
  const copy = world.kube.copy();
  const absent = stage.leader;
  world.kill(absent);
  await stage.until(() => !isrOf(stage).includes(absent.id) && stage.line?.leader !== null);
  await produce(stage, 5);
  return { stage, world, copy, absent };
}

test('an API that forgot a leadership does not give it back to who lacks what was written since', async () => {
  const { absent, copy, stage, world } = await forgetful();
  using _ = stage;
  world.restoreApi(copy);
  await world.run(300);
  // The only ones who know better end, one after another, and the absent one comes.
  world.start(absent);
  await world.run(1_000);
  const others = world.nodes.filter((node) => node !== absent);
  for (const node of others) world.kill(node);
  await world.run(2_000);
  for (const node of others) world.start(node);
  await stage.until(() => isWhole(stage));
  assert.equal(await endOf(stage), 8);
});

test('a controller that runs on notices that its pages are older ones, and has brokers write them again', async () => {
  const { absent, copy, stage, world } = await forgetful();
  using _ = stage;
  world.restoreApi(copy);
  assert.ok(isrOf(stage).includes(absent.id), 'the API has forgotten');
  world.start(absent);
  await stage.until(() => recovered(stage)?.status === 'True');
  await stage.until(() => isWhole(stage));
  assert.equal(recovered(stage)?.reason, 'Recovered');
  await produce(stage, 2);
  assert.equal(await endOf(stage), 10);
});

test('an API that lost everything is told again by volumes, once the owner says whose they are', async () => {
  using stage = await Stage.begin(3);
  const { world } = stage;
  await produce(stage, 4);
  world.loseApi();
  await world.run(2_000);
  world.makeObjects();
  const owner = new SimOwner(world);
  owner.attend();
  await stage.until(() => !owner.isBusy && isWhole(stage));
  assert.equal(recovered(stage)?.reason, 'Recovered');
  assert.equal(await endOf(stage), 4);
});

test('a broker that is gone for good is waited for until the owner names it, and nothing is lost', async () => {
  using stage = await Stage.begin(3);
  const { world } = stage;
  await produce(stage, 4);
  const gone = world.nodes.at(-1) as SimNode;
  world.kill(gone);
  gone.isUp = false;
  await stage.until(() => isrOf(stage).length === 2);
  await produce(stage, 3);
  // Lines are noted on volumes about a second after they are known.
  await world.run(1_500);
  for (const node of world.nodes) world.kill(node);
  world.loseApi();
  world.makeObjects();
  for (const node of world.nodes) if (node !== gone) world.start(node);
  const owner = new SimOwner(world);
  owner.attend();
  await stage.until(() => recovered(stage)?.reason === 'AwaitingBrokers');
  await world.run(10_000);
  assert.equal(stage.line, undefined, 'nothing is decided without it');
  owner.say({ adoptVolumes: true, lostBrokers: [gone.id] });
  await stage.until(() => isrOf(stage).length === 2 && recovered(stage)?.status === 'True');
  assert.equal(recovered(stage)?.reason, 'Recovered', recovered(stage)?.message);
  await produce(stage, 2);
  assert.equal(await endOf(stage), 9);
});

test('where the one that is gone may have had more than the others know, that is told', async () => {
  using stage = await Stage.begin(3);
  const { world } = stage;
  await produce(stage, 4);
  await world.run(1_500);
  const gone = stage.leader;
  for (const node of world.nodes) world.kill(node);
  gone.isUp = false;
  world.loseApi();
  world.makeObjects();
  for (const node of world.nodes) if (node !== gone) world.start(node);
  const owner = new SimOwner(world);
  owner.attend();
  await stage.until(() => recovered(stage)?.reason === 'AwaitingBrokers');
  owner.say({ adoptVolumes: true, lostBrokers: [gone.id] });
  await stage.until(() => isrOf(stage).length === 2 && recovered(stage)?.status === 'True');
  assert.equal(recovered(stage)?.reason, 'RecoveredWithLoss');
  assert.match(
    recovered(stage)?.message ?? '',
    new RegExp(`broker ${gone.id} was in sync and is lost`),
  );
  assert.equal(await endOf(stage), 4);
});
