/** KafkaTopic status: written when a number in it changes, at most every ten seconds per topic. */

import { conditionsWith } from '../../kube/conditions.ts';
import {
  type KafkaTopic,
  kafkaTopics,
  TOPIC_FINALIZER,
  topicIdOf,
} from '../../kube/kafka-objects.ts';
import {
  isMoving,
  type PartitionLine,
  partitionKey,
  targetReplicas,
} from '../../kube/partition-line.ts';
import { isKubeError, type KubeApi } from '../../kube/port.ts';
import { expectNoBug } from '../../stdx/bug.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { Logger } from '../../stdx/logger.ts';
import type { Brokers } from './election-core.ts';
import { isManaged, type TopicProblem } from './topic-plan-core.ts';

const WRITE_PERIOD_MS = 10_000;
const WRITES_IN_FLIGHT = 16;

type Status = NonNullable<KafkaTopic['status']>;

/** Status without times, so that two of them can be compared. Pure. */
export function topicStatus(
  topic: KafkaTopic,
  lines: readonly PartitionLine[],
  problem: TopicProblem | null,
): Status {
  const wanted = topic.spec.partitions ?? lines.length;
  const online = lines.filter(({ leader }) => leader !== null);
  const underReplicated = lines.filter(({ isr, replicas }) => isr.length < replicas.length).length;
  const leaders = [...new Set(online.map(({ leader }) => leader?.id))]
    .sort((a, b) => Number(a) - Number(b))
    .join(',');
  const ready =
    problem === null &&
    lines.length >= wanted &&
    lines.length > 0 &&
    online.length === lines.length;
  const generation = topic.metadata.generation ?? 0;
  const moving = lines.filter(isMoving).length;
  const resizingTo = topic.status?.resizingTo ?? null;
  const isResized = lines.every((line) => targetReplicas(line).length === resizingTo);
  const condition = (type: string, holds: boolean, why: string, words: string) => ({
    type,
    status: holds ? ('True' as const) : ('False' as const),
    reason: why,
    message: words,
    observedGeneration: generation,
  });
  const message =
    problem?.message ??
    (ready
      ? 'every partition has a leader'
      : `${online.length} of ${Math.max(wanted, 1)} partitions have a leader`);
  const reason = problem?.reason ?? (ready ? 'TopicReady' : 'PartitionsNotReady');
  return {
    observedGeneration: generation,
    topicId: topicIdOf(topic),
    partitions: lines.length,
    replicas: lines[0]?.replicas.length ?? 0,
    inSync: lines.length - underReplicated,
    underReplicated,
    offline: lines.length - online.length,
    leaders,
    ...(moving === 0 ? {} : { moving }),
    ...(topic.status?.observedReplicas === undefined && topic.spec.replicas !== undefined
      ? { observedReplicas: topic.spec.replicas }
      : {}),
    ...(resizingTo !== null && isResized ? { resizingTo: null } : {}),
    conditions: conditionsWith(
      [],
      [
        condition('Ready', ready, reason, message),
        condition(
          'Progressing',
          moving > 0,
          moving > 0 ? 'Moving' : 'Settled',
          moving > 0
            ? `${moving} of ${lines.length} partitions are moving to other brokers`
            : 'nothing is left to do',
        ),
        ...(isManaged(topic)
          ? []
          : [
              condition(
                'Unmanaged',
                true,
                'Unmanaged',
                'the spec is not acted on: an annotation says so',
              ),
            ]),
      ],
      '',
    ),
  };
}

export class TopicStatusWriter {
  private readonly deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger };
  private readonly due = new Map<string, { topic: KafkaTopic; status: Status }>();
  private readonly written = new Map<string, { text: string; atMs: number }>();
  /** Of each version of a topic: what its partitions were when its status was last made. */
  private readonly seen = new WeakMap<KafkaTopic, string>();
  private writing = false;

  constructor(deps: { readonly api: KubeApi; readonly clock: Clock; readonly logger: Logger }) {
    this.deps = deps;
  }

  update(
    topics: readonly KafkaTopic[],
    lines: ReadonlyMap<string, PartitionLine>,
    problems: readonly TopicProblem[],
    _brokers: Brokers,
  ): void {
    const problemOf = new Map(problems.map((problem) => [problem.topic, problem]));
    for (const topic of topics) {
      if (topic.metadata.deletionTimestamp !== undefined) continue;
      const topicId = topicIdOf(topic);
      const own: PartitionLine[] = [];
      let signature = '';
      for (let p = 0; ; p++) {
        const line = lines.get(partitionKey(topicId, p));
        if (line === undefined) break;
        own.push(line);
        signature += `${line.partitionEpoch},`;
      }
      const problem = problemOf.get(topic) ?? null;
      if (problem !== null) signature += problem.message;
      // With ten thousand topics most looks find most of them as they were.
      const seen = this.seen.get(topic);
      if (seen === signature) continue;
      this.seen.set(topic, signature);
      this.due.set(topic.metadata.uid ?? '', { topic, status: topicStatus(topic, own, problem) });
    }
  }

  /** Writes what has changed and whose turn has come. */
  writeDue(): void {
    if (!this.writing) void this.write();
  }

  private async write(): Promise<void> {
    this.writing = true;
    const left = [...this.due];
    const worker = async () => {
      for (let one = left.shift(); one !== undefined; one = left.shift())
        await this.writeOne(one[0], one[1]);
    };
    await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, worker));
    this.writing = false;
  }

  private async writeOne(uid: string, of: { topic: KafkaTopic; status: Status }): Promise<void> {
    const { topic, status } = of;
    const text = JSON.stringify(withoutTimes(status));
    const before = this.written.get(uid);
    const stored = topic.status === undefined ? '' : JSON.stringify(withoutTimes(topic.status));
    const finalized = topic.metadata.finalizers?.includes(TOPIC_FINALIZER) === true;
    // What was asked for is noted once; that it stands there already is no difference.
    const isNoted = status.observedReplicas === undefined && status.resizingTo === undefined;
    if (
      finalized &&
      isNoted &&
      (before?.text === text || (before === undefined && stored === text))
    ) {
      this.due.delete(uid);
      return;
    }
    const nowMs = this.deps.clock.monotonicMs();
    const becameReady = before === undefined || !before.text.includes('"TopicReady"');
    if (before !== undefined && nowMs - before.atMs < WRITE_PERIOD_MS && !becameReady) return;
    this.due.delete(uid);
    try {
      await this.put(topic, status, finalized);
      this.written.set(uid, { text, atMs: nowMs });
    } catch (cause) {
      expectNoBug('writing a topic status', cause);
      if (!isKubeError(cause, 404, 409, 422))
        this.deps.logger.debug('writing a topic status failed', { cause });
    }
  }

  private async put(topic: KafkaTopic, status: Status, finalized: boolean): Promise<void> {
    const { namespace = '', name, resourceVersion, finalizers = [] } = topic.metadata;
    if (!finalized) {
      const metadata = { resourceVersion, finalizers: [...finalizers, TOPIC_FINALIZER] };
      await this.deps.api.patch(kafkaTopics, { namespace, name }, { metadata });
    }
    const now = new Date(this.deps.clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const wanted = status.conditions ?? [];
    // One that is not judged any more goes.
    const known = (topic.status?.conditions ?? []).filter(({ type }) =>
      wanted.some((one) => one.type === type),
    );
    const conditions = conditionsWith(known, wanted, now);
    await this.deps.api.patch(
      kafkaTopics,
      { namespace, name, subresource: 'status' },
      { status: { moving: null, ...status, conditions } },
    );
  }
}

function withoutTimes(status: Status): object {
  const { observedGeneration: _, observedReplicas: _o, resizingTo: _r, ...rest } = status;
  const conditions = status.conditions?.map(({ type, status: state, reason, message }) => ({
    type,
    status: state,
    reason,
    message,
  }));
  return {
    ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b))),
    conditions,
  };
}
