/**
 * What volumes and the Kubernetes API together know of a cluster: whether they agree, and, where the API
 * has lost its memory or has an older one, which partition lines are in force. Pure.
 *
 * Rests on this: every commit under a line needs all of its ISR, and members of ISR and ELR hold everything
 * committed when the line was written. So the members of the newest line that anybody noted are complete,
 * as long as none of its replicas is missing and they lost nothing since.
 */
import {
  type ConfigMapOf,
  type KafkaTopic,
  topicIdOf,
  topicNameOf,
} from '../../kube/kafka-objects.ts';
import {
  hasMember,
  type Member,
  type PartitionLine,
  partitionKey,
} from '../../kube/partition-line.ts';
import { areRivals, compareLines, isLater, type PageAge } from './page-age.ts';

/** A replica as its broker holds it. */
export interface HeldReplica {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** The newest line that the broker noted; null: none, as an earlier version left it. */
  readonly line: PartitionLine | null;
  readonly startOffset: number;
  readonly endOffset: number;
  /** Of the last batch; -1: there is none. */
  readonly lastEpoch: number;
  readonly highWatermark: number;
  /** The topic's configuration; null: not known. */
  readonly config: ConfigMapOf | null;
}

export interface BrokerReport {
  readonly id: number;
  readonly epoch: number;
  /** The oldest life since which it lost nothing. */
  readonly keptSince: number;
  /** The life in which its volumes were last written before this one; -1: they are new. */
  readonly formerEpoch: number;
  readonly clusterId: string;
  /** The highest store generation that it saw. */
  readonly storeGeneration: number;
  /** Producer ids below this one may be in use. */
  readonly producerIdEnd: number;
  /** The newest pages that it saw in this life. */
  readonly pages: readonly PageAge[];
  readonly replicas: readonly HeldReplica[];
}

/** What the Kubernetes API says. */
export interface StoreView {
  /** Whether the object with the cluster's state is there. */
  readonly hasState: boolean;
  readonly generation: number;
  readonly pages: readonly PageAge[];
  readonly lines: ReadonlyMap<string, PartitionLine>;
  readonly topics: readonly KafkaTopic[];
}

const isDying = ({ metadata }: KafkaTopic) => metadata.deletionTimestamp !== undefined;
const keyOf = ({ topicId, partition }: HeldReplica) => partitionKey(topicId, partition);

/** Partitions that nobody who is here may lead. */
function leaderless({ lines }: StoreView, reports: readonly BrokerReport[]): PartitionLine[] {
  const isHere = ({ id, epoch }: Member) =>
    reports.some((one) => one.id === id && one.epoch === epoch);
  return [...lines.values()].filter(
    ({ elr, isr, leader }) => leader === null && ![...isr, ...elr].some(isHere),
  );
}

/** Topics whose lines are fewer than their own object remembers. */
function emptied({ lines, topics }: StoreView): KafkaTopic[] {
  return topics.filter((topic) => {
    if (isDying(topic)) return false;
    const id = topicIdOf(topic);
    for (let p = 0; p < (topic.status?.partitions ?? 0); p++)
      if (!lines.has(partitionKey(id, p))) return true;
    return false;
  });
}

/**
 * Why what the API says is not the whole truth, a sentence each; empty: nothing speaks against it. Any of
 * them is reason enough to ask every broker there should be.
 */
export function contradictions(
  store: StoreView,
  reports: readonly BrokerReport[],
  allowLoss = false,
): string[] {
  const found: string[] = [];
  const stuck = allowLoss ? leaderless(store, reports) : [];
  if (stuck.length > 0)
    found.push(`${stuck.length} partitions have no leader, and the owner allows losses`);
  if (!store.hasState) found.push('the object with the state of the cluster is missing');
  const [first] = emptied(store);
  if (first !== undefined)
    found.push(`topic ${topicNameOf(first)} has partitions that are in no KafkaPartitionMap`);
  const living = livingIds(store);
  for (const report of reports) found.push(...doubtsOf(store, report, living));
  return found;
}

function livingIds({ topics }: StoreView): ReadonlySet<string> {
  return new Set(topics.filter((topic) => !isDying(topic)).map(topicIdOf));
}

/** Why a broker's word speaks against what the API says. */
export function doubtsOf(
  store: StoreView,
  { id, pages, replicas, storeGeneration }: BrokerReport,
  living = livingIds(store),
): string[] {
  const found: string[] = [];
  if (storeGeneration > store.generation)
    found.push(
      `broker ${id} has seen generation ${storeGeneration} of what the Kubernetes API says, which is at ${store.generation}`,
    );
  const later = pages.find((seen) =>
    store.pages.some((now) => now.name === seen.name && isLater(seen, now)),
  );
  if (later !== undefined)
    found.push(`broker ${id} has seen a later ${later.name} than the Kubernetes API has`);
  const unknown: string[] = [];
  const newer: string[] = [];
  for (const held of replicas) {
    const line = store.lines.get(keyOf(held));
    const name = `${held.topic}-${held.partition}`;
    if (line === undefined && living.has(held.topicId)) unknown.push(name);
    if (line === undefined) continue;
    const isOlder =
      held.line !== null && (compareLines(line, held.line) < 0 || areRivals(line, held.line));
    if (isOlder || held.lastEpoch > line.leaderEpoch) newer.push(name);
  }
  if (unknown.length > 0)
    found.push(`broker ${id} holds ${counted(unknown, 'in no KafkaPartitionMap')}`);
  if (newer.length > 0)
    found.push(
      `broker ${id} has records of ${counted(newer, 'in a newer epoch than in the KafkaPartitionMap')}`,
    );
  return found;
}

/** How many there are before which: a cluster may have thousands. */
function counted(names: readonly string[], are: string): string {
  const [first = ''] = names;
  return names.length === 1
    ? `1 partition that is ${are}: ${first}`
    : `${names.length} partitions that are ${are}, such as ${first}`;
}

/** A topic whose object is missing. */
export interface MissingTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly replicas: number;
  /** Null: nobody knows it. */
  readonly config: ConfigMapOf | null;
}

export interface Rebuilt {
  /** Lines to be written over what the pages say, or added. */
  readonly lines: readonly PartitionLine[];
  readonly topics: readonly MissingTopic[];
  /** First producer id that is certainly free. */
  readonly nextProducerId: number;
  readonly generation: number;
  /** What is or may be lost, a sentence each. */
  readonly losses: readonly string[];
  /** Partitions that nobody may lead until the owner allows it. */
  readonly undecided: readonly string[];
}

export interface Allowance {
  readonly lost: ReadonlySet<number>;
  readonly allowLoss: boolean;
}

/** Ids that brokers took before and gave to clients that have not used them yet. */
const PRODUCER_ID_MARGIN = 10_000;

interface Copy extends HeldReplica {
  readonly broker: BrokerReport;
}

/** Ids of topics that live on although the pages do not know them. */
function survivors(store: StoreView, reports: readonly BrokerReport[]): Set<string> {
  const living = livingIds(store);
  const dying = new Set(store.topics.filter(isDying).map(topicIdOf));
  const known = new Set([...store.lines.values()].map(({ topicId }) => topicId));
  const seen = new Map<string, { name: string; generation: number; line: PartitionLine | null }>();
  for (const { replicas, storeGeneration } of reports) {
    for (const { line, topic, topicId } of replicas) {
      const before = seen.get(topicId);
      const newest =
        before?.line && (line === null || compareLines(before.line, line) >= 0)
          ? before.line
          : line;
      const generation = Math.max(before?.generation ?? 0, storeGeneration);
      seen.set(topicId, { name: topic, generation, line: newest });
    }
  }
  const holders = new Map(
    reports.map(({ id, replicas }) => [id, new Set(replicas.map(({ topicId }) => topicId))]),
  );
  const alive = new Map<string, { topicId: string; generation: number }>();
  for (const [topicId, { generation, line, name }] of seen) {
    if (known.has(topicId)) continue;
    if (!living.has(topicId)) {
      // Who should hold it, knows more and does not: that one saw its end.
      const sawItsEnd = reports.some(
        ({ id, storeGeneration }) =>
          storeGeneration > generation &&
          line?.replicas.includes(id) === true &&
          holders.get(id)?.has(topicId) === false,
      );
      const isNewer = !store.hasState || generation > store.generation;
      if (!isNewer || sawItsEnd || dying.has(topicId)) continue;
    }
    const other = alive.get(name);
    if (living.has(topicId) || other === undefined || other.generation < generation)
      alive.set(name, { topicId, generation: living.has(topicId) ? Infinity : generation });
  }
  // A name that the pages have is taken.
  for (const { topic } of store.lines.values()) alive.delete(topic);
  return new Set([...alive.values()].map(({ topicId }) => topicId));
}

/**
 * Whether that copy holds everything which that member ever confirmed. A life that has the number of the
 * member's own may still be another one, of an older volume, unless it noted itself that it was a member.
 */
function isComplete({ broker, endOffset, line }: Copy, member: Member, committed: number): boolean {
  if (broker.id !== member.id || endOffset < committed) return false;
  if (broker.epoch === member.epoch)
    return line !== null && hasMember([...line.isr, ...line.elr], member);
  return broker.keptSince <= member.epoch && member.epoch <= broker.formerEpoch;
}

/** The copy with most: of the newest leader, then the longest. */
function fullest(copies: readonly Copy[]): Copy | undefined {
  return [...copies].sort(
    (a, b) => b.lastEpoch - a.lastEpoch || b.endOffset - a.endOffset || a.broker.id - b.broker.id,
  )[0];
}

/** Whether somebody knows more of a partition than its page. */
function isBehind(
  known: PartitionLine,
  newest: PartitionLine | null,
  copies: readonly HeldReplica[],
): boolean {
  if (newest !== null && compareLines(known, newest) < 0) return true;
  return copies.some(({ lastEpoch }) => lastEpoch > known.leaderEpoch);
}

/** Whether nobody leads, nobody who is here may, and the owner allows what that costs. */
function mayLose(
  { elr, isr, leader }: PartitionLine,
  copies: readonly Copy[],
  { allowLoss }: Allowance,
): boolean {
  const isHere = ({ id, epoch }: Member) =>
    copies.some(({ broker }) => broker.id === id && broker.epoch === epoch);
  return allowLoss && leader === null && ![...isr, ...elr].some(isHere);
}

interface Verdict {
  readonly line: PartitionLine;
  readonly loss: string | null;
  readonly isUndecided: boolean;
}

function rebuildLine(
  noted: PartitionLine | null,
  copies: readonly Copy[],
  { allowLoss, lost }: Allowance,
): Verdict {
  const any = copies[0] as Copy;
  const name = `${any.topic}-${any.partition}`;
  const newest: PartitionLine = noted ?? {
    topic: any.topic,
    topicId: any.topicId,
    partition: any.partition,
    leader: null,
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: copies.map(({ broker }) => broker.id),
    isr: [],
    elr: [],
    adding: [],
    removing: [],
  };
  const committed = Math.max(0, ...copies.map(({ highWatermark }) => highWatermark));
  const standing = (members: readonly Member[]) =>
    members.flatMap((member) => {
      const copy = copies.find((one) => isComplete(one, member, committed));
      return copy === undefined ? [] : [copy];
    });
  const memberOf = ({ broker }: Copy): Member => ({ id: broker.id, epoch: broker.epoch });
  const inSync = standing(newest.isr);
  const eligible = standing(newest.elr);
  const base = {
    ...newest,
    leader: null,
    leaderEpoch: Math.max(newest.leaderEpoch, ...copies.map(({ lastEpoch }) => lastEpoch)) + 1,
    partitionEpoch: newest.partitionEpoch + 1,
  };
  const missing = [...newest.isr, ...newest.elr].filter(({ id }) => lost.has(id));
  const best = fullest(inSync.length > 0 ? inSync : eligible);
  if (best !== undefined) {
    const line = {
      ...base,
      leader: memberOf(best),
      isr: inSync.length > 0 ? inSync.map(memberOf) : [memberOf(best)],
      elr: inSync.length > 0 ? eligible.map(memberOf) : [],
    };
    const loss =
      missing.length === 0
        ? null
        : `${name}: broker ${missing.map(({ id }) => id).join(', ')} was in sync and is lost; what it acknowledged alone after the last line that is known is gone, everything else up to offset ${best.endOffset} is there`;
    return { line, loss, isUndecided: false };
  }
  const most = fullest(copies.filter(({ broker }) => newest.replicas.includes(broker.id)));
  if (most !== undefined && allowLoss) {
    const gone = Math.max(0, committed - most.endOffset);
    const known =
      gone === 0
        ? 'none of them is known to be missing'
        : `${gone} records that were committed are gone`;
    return {
      line: { ...base, leader: memberOf(most), isr: [memberOf(most)], elr: [] },
      loss: `${name}: nobody certainly has everything; broker ${most.broker.id} leads with records ${most.startOffset} to ${most.endOffset - 1}: ${known}, and whatever was acknowledged after that`,
      isUndecided: false,
    };
  }
  // Those who are away may come back with everything: they keep their standing.
  const away = (members: readonly Member[]) =>
    members.filter(({ id }) => !copies.some(({ broker }) => broker.id === id));
  const line = { ...base, isr: away(newest.isr), elr: away(newest.elr) };
  return { line, loss: null, isUndecided: true };
}

/**
 * Members of a line that kept all they had, have seen more than the API remembers, and hold no replica of it:
 * they saw the end of its topic.
 */
function leavers(
  { isr, elr, partition, topicId }: PartitionLine,
  { generation }: StoreView,
  reports: readonly BrokerReport[],
): BrokerReport[] {
  return reports.filter(
    ({ epoch, id, keptSince, replicas, storeGeneration }) =>
      storeGeneration > generation &&
      [...isr, ...elr].some(
        (member) => member.id === id && keptSince <= member.epoch && member.epoch <= epoch,
      ) &&
      !replicas.some((held) => held.topicId === topicId && held.partition === partition),
  );
}

/** A topic that had ended is there again, without records: they are gone where it mattered. */
function beginAgain(
  line: PartitionLine,
  left: readonly BrokerReport[],
  copies: readonly Copy[],
): Verdict {
  const isr = left.map(({ id, epoch }) => ({ id, epoch }));
  const lastEpoch = Math.max(line.leaderEpoch, ...copies.map((copy) => copy.lastEpoch));
  return {
    line: {
      ...line,
      leader: isr[0] ?? null,
      leaderEpoch: lastEpoch + 1,
      partitionEpoch: line.partitionEpoch + 1,
      isr,
      elr: [],
    },
    loss: `${line.topic}-${line.partition}: its topic was deleted after what the Kubernetes API remembers; it is there again without records, to be deleted again`,
    isUndecided: false,
  };
}

/** Lines that were written by another memory of the API than the newest one was. */
function rivalsOf(newest: PartitionLine, copies: readonly Copy[]): PartitionLine[] {
  return copies.flatMap(({ line }) => (line !== null && areRivals(line, newest) ? [line] : []));
}

/**
 * Of two leaderships in one epoch the one counts that more replicas have kept up with: so many had to confirm
 * what was acknowledged, where the other leader was alone.
 */
function strongerOf(a: Verdict, b: Verdict): Verdict {
  if (b.isUndecided || b.line.isr.length <= a.line.isr.length) return a;
  const { line } = b;
  return {
    ...b,
    line: { ...line, partitionEpoch: Math.max(line.partitionEpoch, a.line.partitionEpoch) },
    loss:
      b.loss ??
      `${line.topic}-${line.partition}: two brokers led in one epoch, since the Kubernetes API had forgotten the one; what the other acknowledged alone is gone, everything else up to the end of broker ${line.leader?.id} is there`,
  };
}

/** What is to be written so that the API says again what the volumes know. */
export function rebuild(
  store: StoreView,
  reports: readonly BrokerReport[],
  allowance: Allowance,
): Rebuilt {
  const alive = survivors(store, reports);
  const copies = new Map<string, Copy[]>();
  for (const broker of reports) {
    for (const held of broker.replicas) {
      const key = keyOf(held);
      if (!store.lines.has(key) && !alive.has(held.topicId)) continue;
      copies.set(key, [...(copies.get(key) ?? []), { ...held, broker }]);
    }
  }
  const lines: PartitionLine[] = [];
  const losses: string[] = [];
  const undecided: string[] = [];
  for (const [key, of] of copies) {
    const known = store.lines.get(key);
    const newest = of.reduce<PartitionLine | null>(
      (best, { line }) =>
        line !== null && (best === null || compareLines(best, line) < 0) ? line : best,
      known ?? null,
    );
    const left = newest === null ? [] : leavers(newest, store, reports);
    const rivals = newest === null ? [] : rivalsOf(newest, of);
    const isInForce = known !== undefined && !isBehind(known, newest, of);
    if (isInForce && left.length + rivals.length === 0 && !mayLose(known, of, allowance)) continue;
    let verdict = rebuildLine(newest, of, allowance);
    for (const rival of rivals) verdict = strongerOf(verdict, rebuildLine(rival, of, allowance));
    const isEnded = left.some((one) =>
      of.every(({ broker }) => broker.storeGeneration < one.storeGeneration),
    );
    if (newest !== null && verdict.isUndecided && isEnded && allowance.lost.size === 0)
      verdict = beginAgain(newest, left, of);
    lines.push(verdict.line);
    if (verdict.loss !== null) losses.push(verdict.loss);
    if (verdict.isUndecided) undecided.push(`${verdict.line.topic}-${verdict.line.partition}`);
  }
  for (const [key, line] of store.lines) {
    const left = copies.has(key) ? [] : leavers(line, store, reports);
    if (left.length === 0) continue;
    const { line: again, loss } = beginAgain(line, left, []);
    lines.push(again);
    losses.push(loss ?? '');
  }
  for (const topic of emptied(store)) {
    const id = topicIdOf(topic);
    if (lines.some(({ topicId }) => topicId === id)) continue;
    losses.push(
      `topic ${topicNameOf(topic)}: no broker holds anything of partitions that it had: they are made anew, empty`,
    );
  }
  const producerIdEnd = Math.max(0, ...reports.map((report) => report.producerIdEnd));
  return {
    lines,
    topics: missingTopics(store, lines, reports),
    nextProducerId: producerIdEnd === 0 ? 0 : producerIdEnd + PRODUCER_ID_MARGIN,
    generation:
      Math.max(store.generation, ...reports.map(({ storeGeneration }) => storeGeneration)) + 1,
    losses,
    undecided,
  };
}

/** Topics that have lines and no object: absence is no order to delete them. */
export function missingTopics(
  { lines: known, topics }: Pick<StoreView, 'lines' | 'topics'>,
  rebuilt: readonly PartitionLine[],
  reports: readonly BrokerReport[],
): MissingTopic[] {
  const ids = new Set(topics.map(topicIdOf));
  const names = new Set(topics.filter((topic) => !isDying(topic)).map(topicNameOf));
  const configs = new Map<string, ConfigMapOf>();
  for (const { replicas } of reports)
    for (const { config, topicId } of replicas) if (config !== null) configs.set(topicId, config);
  const found = new Map<string, MissingTopic>();
  for (const { partition, replicas, topic, topicId } of [...known.values(), ...rebuilt]) {
    if (ids.has(topicId) || names.has(topic)) continue;
    found.set(topicId, {
      name: topic,
      topicId,
      partitions: Math.max(found.get(topicId)?.partitions ?? 0, partition + 1),
      replicas: replicas.length,
      config: configs.get(topicId) ?? null,
    });
  }
  return [...found.values()];
}
