/** A member of a consumer group (KIP-848) that commits what it has read. */
import type { History } from './history.ts';
import { FetchingClient } from './reader.ts';
import { placeOf, TOPIC, type TopicShape } from './scene.ts';
import type { World } from './world.ts';

export const GROUP = 'g';
const HEARTBEAT_MS = 1_000;

export class SimMember extends FetchingClient {
  private memberEpoch = 0;
  private readonly memberId: string;
  /** By partition: where to read on; null where that must be asked for. */
  private readonly owned = new Map<number, number | null>();
  private heartbeatAtMs = 0;

  private readonly shape: TopicShape;
  private topicId = '';

  constructor(world: World, name: string, history: History) {
    super(world, name, history);
    this.shape = world.shapeOf(TOPIC);
    this.memberId = this.random.uuid();
  }

  protected override async live(): Promise<void> {
    while (!this.isOver) {
      if (this.nowMs >= this.heartbeatAtMs) await this.heartbeat();
      for (const partition of [...this.owned.keys()]) await this.step(partition);
      await this.pause(this.random.between(100, 400));
    }
  }

  private async atCoordinator<T>(run: (host: string) => Promise<T>): Promise<T | null> {
    try {
      const host = await this.coordinatorOf(0, GROUP);
      return host === null ? null : await run(host);
    } catch {
      this.forgetCoordinator();
      return null;
    }
  }

  private async heartbeat(): Promise<void> {
    // Of which topic the partitions are, the client must know first.
    if (this.topicId === '')
      this.topicId = (await this.leaderOf(TOPIC, 0).catch(() => null))?.topicId ?? '';
    const partitions = [...this.owned.keys()];
    const answer = await this.atCoordinator((host) =>
      this.ask(host, 'ConsumerGroupHeartbeat', 1, {
        groupId: GROUP,
        memberId: this.memberId,
        memberEpoch: this.memberEpoch,
        rebalanceTimeoutMs: 5_000,
        subscribedTopicNames: [TOPIC],
        topicPartitions:
          this.memberEpoch === 0 || partitions.length === 0
            ? []
            : [{ topicId: this.topicId, partitions }],
      }),
    );
    if (answer === null) return;
    if (answer.errorCode !== 0) {
      this.forgetCoordinator();
      const FENCED = [110, 25, 111]; // FENCED_MEMBER_EPOCH, UNKNOWN_MEMBER_ID, UNRELEASED_INSTANCE_ID
      if (FENCED.includes(answer.errorCode)) {
        this.memberEpoch = 0;
        this.owned.clear();
      }
      return;
    }
    this.memberEpoch = answer.memberEpoch;
    this.heartbeatAtMs = this.nowMs + Math.min(HEARTBEAT_MS, answer.heartbeatIntervalMs);
    if (answer.assignment === null) return;
    const wanted = new Set(answer.assignment.topicPartitions.flatMap((of) => of.partitions));
    const changes = [...this.owned.keys()].some((partition) => !wanted.has(partition));
    for (const partition of this.owned.keys())
      if (!wanted.has(partition)) this.owned.delete(partition);
    for (const partition of wanted) if (!this.owned.has(partition)) this.owned.set(partition, null);
    // What was given up is said at once: others wait for it.
    if (changes) this.heartbeatAtMs = 0;
  }

  private async step(partition: number): Promise<void> {
    const epoch = this.memberEpoch;
    const at = this.owned.get(partition) ?? (await this.committed(partition));
    if (at === null) return;
    const found = await this.poll(this.shape, partition, {
      offset: at,
      maxWaitMs: 0,
      committed: true,
    }).catch(() => null);
    if (found === null || typeof found === 'number') {
      this.forget(TOPIC, partition);
      return;
    }
    if (found.next > at && !(await this.commit(partition, found.next, epoch))) {
      this.owned.set(partition, null);
      return;
    }
    if (this.owned.has(partition)) this.owned.set(partition, found.next);
  }

  private async committed(partition: number): Promise<number | null> {
    const atLeast = this.history.of(placeOf(this.shape, '', partition)).groupOffset;
    const answer = await this.atCoordinator((host) =>
      this.ask(host, 'OffsetFetch', 9, {
        groups: [
          {
            groupId: GROUP,
            memberId: this.memberEpoch < 0 ? null : this.memberId,
            memberEpoch: this.memberEpoch,
            topics: [{ name: TOPIC, partitionIndexes: [partition] }],
          },
        ],
        requireStable: true,
      }),
    );
    const group = answer?.groups[0];
    const of = group?.topics[0]?.partitions[0];
    if (group === undefined || group.errorCode !== 0 || of === undefined || of.errorCode !== 0) {
      if (answer !== null) this.forgetCoordinator();
      return null;
    }
    const offset = Math.max(of.committedOffset, 0);
    if (offset < atLeast)
      this.history.anomaly(
        `lost commit: the group had committed ${atLeast} of ${partition}, and now it is ${of.committedOffset}`,
      );
    return offset;
  }

  private async commit(partition: number, offset: number, epoch: number): Promise<boolean> {
    const answer = await this.atCoordinator((host) =>
      this.ask(host, 'OffsetCommit', 9, {
        groupId: GROUP,
        generationIdOrMemberEpoch: epoch,
        memberId: this.memberId,
        topics: [
          {
            name: TOPIC,
            partitions: [
              { partitionIndex: partition, committedOffset: offset, committedMetadata: '' },
            ],
          },
        ],
      }),
    );
    const error = answer?.topics[0]?.partitions[0]?.errorCode;
    if (error === 0) this.history.committed(placeOf(this.shape, '', partition), offset);
    else this.forgetCoordinator();
    return error === 0;
  }

  /** In the end nothing that was committed is gone. */
  async checkCommits(): Promise<void> {
    for (let partition = 0; partition < this.shape.partitions; partition++) {
      let found: number | null = null;
      for (let tries = 0; tries < 100 && found === null; tries++) {
        // As an administrator asks: for no member.
        found = await this.committedAsNobody(partition);
        if (found === null) await this.pause(100);
      }
      if (found === null)
        this.history.anomaly(`unreadable: what the group committed of ${partition}`);
    }
  }

  private async committedAsNobody(partition: number): Promise<number | null> {
    this.memberEpoch = -1;
    return this.committed(partition);
  }
}
