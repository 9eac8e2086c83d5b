/** An administrator who lets another replica lead: it is put first, and preferred. */
import { SimClient } from './client.ts';

const TRIES = 60;

export class SimLeaderPicker extends SimClient {
  /** Resolves once the second replica of the assignment is the first, and leads. */
  async next(topic: string, partition: number): Promise<void> {
    const lineNow = () =>
      this.world.lines().find((line) => line.topic === topic && line.partition === partition);
    const [first, ...others] = lineNow()?.replicas ?? [];
    if (first === undefined || others.length === 0) return;
    const wanted = [...others, first];
    const hasLed = () => {
      const line = lineNow();
      return line === undefined || (line.leader?.id === wanted[0] && line.adding.length === 0);
    };
    for (let i = 0; i < TRIES && !hasLed(); i++) {
      await this.elect(topic, partition, wanted).catch(() => null);
      await this.pause(150);
    }
    if (!hasLed()) this.world.bugs.push(`${topic}-${partition} could not be led by ${wanted[0]}`);
  }

  private async elect(topic: string, partition: number, replicas: number[]): Promise<void> {
    await this.ask(this.anyHost(), 'AlterPartitionReassignments', 1, {
      timeoutMs: 5_000,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, replicas }] }],
    });
    await this.pause(100);
    await this.ask(this.anyHost(), 'ElectLeaders', 2, {
      electionType: 0,
      topicPartitions: [{ topic, partitions: [partition] }],
      timeoutMs: 5_000,
    });
  }
}
