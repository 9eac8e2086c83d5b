/** How a seed ends: everything heals and is answered, and then everything is read and judged. */
import type { SimClient } from './client.ts';
import { Compaction } from './compaction.ts';
import type { Faults } from './faults.ts';
import { FinalLogs } from './final-logs.ts';
import type { History } from './history.ts';
import { judgeTransactions } from './judge.ts';
import { SimLeaderPicker } from './leader-picker.ts';
import { SimMember } from './member.ts';
import { damages, differences } from './replicas.ts';
import type { SimNode, World } from './world.ts';

const SETTLE_MS = 60_000;
const SETTLE_STEP_MS = 250;
const HEAL_MS = 40_000;
const RESTART_MS = 700;
/** Who does not write notices by his Lease. */
const TWINS_MS = 15_000;

export class Finale {
  private readonly world: World;
  private readonly history: History;
  private readonly faults: Faults;
  private readonly clients: readonly SimClient[];
  private readonly logs: FinalLogs;

  constructor(world: World, history: History, faults: Faults, clients: readonly SimClient[]) {
    this.world = world;
    this.history = history;
    this.faults = faults;
    this.clients = clients;
    this.logs = new FinalLogs(world, history);
  }

  async run(): Promise<void> {
    const { history, world } = this;
    const { everyReplicaLeads, endsWithStop, topics } = world.scene;
    await this.settle();
    await this.answerAll();
    // What was asked for just before peace may have begun only then.
    await this.settle();
    // Followers hear of the last high watermark as well.
    await world.run(700);
    for (const shape of topics)
      if (shape.kind === 'compacted')
        await this.world.done(
          new Compaction(world, history, shape).run(),
          `compacting ${shape.name}`,
        );
    if (world.scene.scrubs) await this.heal();
    await this.logs.judgeAll();
    judgeTransactions(history, (place) => this.keepsAll(place), this.logs.present);
    const member = this.clients.find((client) => client instanceof SimMember);
    if (member !== undefined) await this.world.done(member.checkCommits(), 'reading commits');
    this.compareReplicas();
    if (endsWithStop) await this.stopAndRead();
    if (everyReplicaLeads) await this.letEveryReplicaLead();
    await this.judgeTwins();
  }

  /** Whatever was damaged is found and made good, though nobody asks for it. */
  private async heal(): Promise<void> {
    const { history, world } = this;
    const isWell = () =>
      world.isWhole && damages(world).length === 0 && differences(world, history).length === 0;
    for (let waitedMs = 0; waitedMs < HEAL_MS && !isWell(); waitedMs += 500) await world.run(500);
  }

  private compareReplicas(): void {
    const { history, world } = this;
    for (const text of [...damages(world), ...differences(world, history)]) history.anomaly(text);
  }

  /** Of two processes on one volume the first one has noticed in the end that it is not alone. */
  private async judgeTwins(): Promise<void> {
    const { history, world } = this;
    const isAlone = ({ twins }: SimNode) => !twins.some(({ alive }) => alive);
    for (let waitedMs = 0; waitedMs < TWINS_MS && !world.nodes.every(isAlone); waitedMs += 500)
      await world.run(500);
    for (const node of world.nodes)
      if (!isAlone(node)) history.anomaly(`two processes: both live on the volume of ${node.name}`);
  }

  private keepsAll(place: string): boolean {
    const shape = this.world.scene.topics.find(({ name }) => place.startsWith(`${name}-`));
    return shape?.kind === 'plain';
  }

  /** Whoever waits for an answer gets one. */
  private async answerAll(): Promise<void> {
    const { history, world } = this;
    for (const client of this.clients) client.isOver = true;
    const isBusy = () => history.hasOpen || this.clients.some(({ hasEnded }) => !hasEnded);
    for (let i = 0; i < 240 && isBusy(); i++) await world.run(250);
    for (const { error, outcome, place, values } of history.operations)
      if (outcome === 'open')
        history.anomaly(`stuck: ${values.join()} in ${place} was never answered (${error})`);
  }

  /** In the end every partition has a leader and every replica is in sync, however bad it was. */
  private async settle(): Promise<void> {
    const { faults, history, world } = this;
    for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += SETTLE_STEP_MS) {
      await world.run(SETTLE_STEP_MS);
      if (world.isWhole && !faults.isBusy && !world.isStopping) return;
    }
    for (const topic of world.dying) history.anomaly(`not gone: ${topic} was deleted`);
    for (const { isr, leader, partition, replicas, topic } of world.lines())
      if (leader === null || isr.length < replicas.length)
        history.anomaly(
          `not healed: ${topic}-${partition} has leader ${leader?.id ?? 'none'} and ISR ${isr.map(({ id }) => id).join()}`,
        );
  }

  /** An orderly stop of everybody, and what was noted then. */
  private async stopAndRead(): Promise<void> {
    const { world } = this;
    world.note('ALL STOP');
    world.counts.endStops++;
    await this.world.done(Promise.all(world.nodes.map((node) => world.stop(node))), 'stopping all');
    await world.run(RESTART_MS);
    // A kubelet may have been quicker.
    for (const node of world.nodes) if (node.process?.alive !== true) world.start(node);
    await this.settle();
    await this.logs.judgeAll();
  }

  private async letEveryReplicaLead(): Promise<void> {
    const { world } = this;
    const picker = new SimLeaderPicker(world, 'picker');
    const turns = Math.max(...world.lines().map(({ replicas }) => replicas.length));
    for (let turn = 1; turn < turns; turn++) {
      world.note('THE NEXT REPLICAS LEAD');
      world.counts.leaderTurns++;
      for (const shape of world.scene.topics)
        for (let i = 0; i < shape.partitions; i++)
          if (world.topicIdOf(shape.name, i) !== null)
            await this.world.done(picker.next(shape.name, i), `electing for ${shape.name}-${i}`);
      await this.settle();
      await this.logs.judgeAll();
    }
  }
}
