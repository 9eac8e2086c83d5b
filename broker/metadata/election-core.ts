/**
 * The controller's decisions about one partition line. Pure: a line in, a line out, or the same
 * object where nothing changes. Rules: DESIGN of leadership in docs/explanation/safety.md.
 */
import {
  hasMember,
  type Member,
  type PartitionLine,
  sameMember,
} from '../../kube/partition-line.ts';
import type { ErrorName } from '../../proto/kafka/errors.ts';

/** What the controller knows of a broker. */
export interface BrokerView {
  readonly id: number;
  readonly epoch: number;
  /** Its session stands: it may lead and be in sync. */
  readonly live: boolean;
  /** It is about to stop: it keeps what it has but gets nothing new. */
  readonly draining: boolean;
  /** The oldest life since which it lost nothing. */
  readonly keptSince: number;
  readonly rack: string | null;
}

export type Brokers = ReadonlyMap<number, BrokerView>;

export interface LineRules {
  readonly minInsyncReplicas: number;
  readonly uncleanLeaderElection: boolean;
}

function effectiveMinIsr(line: PartitionLine, rules: LineRules): number {
  return Math.min(rules.minInsyncReplicas, line.replicas.length);
}

/** Puts a new ISR in force; who leaves it while it is small stays eligible (KIP-966). */
export function withIsr(
  line: PartitionLine,
  isr: readonly Member[],
  rules: LineRules,
): PartitionLine {
  const left = [...line.elr, ...line.isr].filter(
    ({ id }) => !isr.some((member) => member.id === id),
  );
  const elr = isr.length >= effectiveMinIsr(line, rules) ? [] : left;
  return { ...line, isr, elr };
}

/** A broker in a new life keeps its standing if it lost nothing since the life that is listed. */
function renewed(members: readonly Member[], brokers: Brokers): readonly Member[] {
  let changed = false;
  const list: Member[] = [];
  for (const member of members) {
    const broker = brokers.get(member.id);
    if (broker === undefined || !broker.live || broker.epoch <= member.epoch) {
      list.push(member);
      continue;
    }
    changed = true;
    if (broker.keptSince <= member.epoch) list.push({ id: member.id, epoch: broker.epoch });
  }
  return changed ? list : members;
}

function isLive(brokers: Brokers, { id, epoch }: Member): boolean {
  const broker = brokers.get(id);
  return broker?.live === true && broker.epoch === epoch;
}

function mayLead(brokers: Brokers, member: Member): boolean {
  return isLive(brokers, member) && brokers.get(member.id)?.draining === false;
}

function inReplicaOrder(line: PartitionLine, members: readonly Member[]): Member[] {
  return line.replicas.flatMap((id) => members.filter((member) => member.id === id));
}

export interface Election {
  readonly leader: Member | null;
  readonly unclean: boolean;
}

/** Who should lead: the sitting leader if it may stay, else the first eligible replica. */
export function elect(line: PartitionLine, brokers: Brokers, rules: LineRules): Election {
  const { leader, isr, elr } = line;
  const clean = (member: Member | null): Election => ({ leader: member, unclean: false });
  if (leader !== null && hasMember(isr, leader) && mayLead(brokers, leader)) return clean(leader);
  const inSync = inReplicaOrder(line, isr);
  const best =
    inSync.find((member) => mayLead(brokers, member)) ??
    inReplicaOrder(line, elr).find((member) => mayLead(brokers, member)) ??
    // A draining broker goes on leading where nobody else can.
    inSync.find((member) => isLive(brokers, member)) ??
    inReplicaOrder(line, elr).find((member) => isLive(brokers, member));
  if (best !== undefined) return clean(best);
  if (rules.uncleanLeaderElection) {
    const any = line.replicas
      .map((id) => brokers.get(id))
      .find((broker) => broker?.live === true && !broker.draining);
    if (any !== undefined) return { leader: { id: any.id, epoch: any.epoch }, unclean: true };
  }
  return clean(null);
}

/** Brings a line in line with who is alive. Returns the same object if nothing is to change. */
export function settleLine(
  line: PartitionLine,
  brokers: Brokers,
  rules: LineRules,
): { line: PartitionLine; unclean: boolean } {
  let next: PartitionLine = line;
  const isr = renewed(next.isr, brokers);
  const elr = renewed(next.elr, brokers);
  if (isr !== next.isr || elr !== next.elr) next = { ...next, isr, elr };

  const stays = next.isr.filter(
    (member) => isLive(brokers, member) && brokers.get(member.id)?.draining === false,
  );
  const alive = next.isr.filter((member) => isLive(brokers, member));
  const kept = stays.length > 0 ? stays : alive;
  if (kept.length < next.isr.length) next = withIsr(next, kept, rules);

  const { leader, unclean } = elect(next, brokers, rules);
  if (!sameMember(leader, next.leader)) {
    next = { ...next, leader, leaderEpoch: next.leaderEpoch + 1 };
  }
  if (leader !== null && !hasMember(next.isr, leader)) {
    // From the ELR it brings all that was committed, as do those who were in sync until now; from
    // elsewhere what it has becomes the truth.
    next = unclean ? { ...next, isr: [leader], elr: [] } : withIsr(next, [leader], rules);
  }
  if (next === line) return { line, unclean: false };
  return { line: { ...next, partitionEpoch: line.partitionEpoch + 1 }, unclean };
}

export interface IsrChange {
  readonly leader: Member;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly isr: readonly Member[];
}

/** A leader's wish for another ISR: the new line, or why it is refused (KIP-497, KIP-903). */
export function alterIsr(
  line: PartitionLine,
  change: IsrChange,
  brokers: Brokers,
  rules: LineRules,
): PartitionLine | string {
  if (!sameMember(line.leader, change.leader) || line.leaderEpoch !== change.leaderEpoch)
    return 'the sender does not lead';
  if (line.partitionEpoch !== change.partitionEpoch) return 'the line has changed meanwhile';
  if (!hasMember(change.isr, change.leader)) return 'the leader must be in the ISR';
  for (const member of change.isr) {
    if (!line.replicas.includes(member.id)) return `broker ${member.id} is no replica`;
    if (hasMember(line.isr, member)) continue;
    if (!mayLead(brokers, member))
      return `broker ${member.id} is not live in epoch ${member.epoch}, or draining`;
  }
  return { ...withIsr(line, change.isr, rules), partitionEpoch: line.partitionEpoch + 1 };
}

/** The preferred leader takes over, if it is in sync and live. Returns the same object otherwise. */
export function preferLeader(line: PartitionLine, brokers: Brokers): PartitionLine {
  const preferred = line.isr.find(({ id }) => id === line.replicas[0]);
  if (preferred === undefined || sameMember(preferred, line.leader) || !mayLead(brokers, preferred))
    return line;
  return {
    ...line,
    leader: preferred,
    leaderEpoch: line.leaderEpoch + 1,
    partitionEpoch: line.partitionEpoch + 1,
  };
}

/** What an administrator's election comes to: the new line, or why there is none (KIP-460). */
export function electByRequest(
  line: PartitionLine,
  unclean: boolean,
  brokers: Brokers,
  rules: LineRules,
): PartitionLine | { readonly error: ErrorName; readonly message: string } {
  if (!unclean) {
    if (line.leader?.id === line.replicas[0])
      return { error: 'ELECTION_NOT_NEEDED', message: 'the preferred replica leads already' };
    const next = preferLeader(line, brokers);
    const message = 'the preferred replica is not in sync or not available';
    return next === line ? { error: 'PREFERRED_LEADER_NOT_AVAILABLE', message } : next;
  }
  if (line.leader !== null && isLive(brokers, line.leader))
    return { error: 'ELECTION_NOT_NEEDED', message: 'the partition has a leader' };
  const { line: next } = settleLine(line, brokers, { ...rules, uncleanLeaderElection: true });
  if (next.leader !== null) return next;
  return { error: 'ELIGIBLE_LEADERS_NOT_AVAILABLE', message: 'no replica is available' };
}

/**
 * A replica is damaged and gives up its standing: it neither leads nor is in sync any more, and is not
 * eligible either, so that it may be copied anew. Refused where nobody else holds what was committed: the
 * last copy is kept, such as it is.
 *
 * It begins a leader epoch, so that what the replica confirmed before counts for nothing when it is back.
 *
 * @param isWhole its disk only takes nothing more: it stays eligible where too few are left (KIP-966)
 */
export function withdraw(
  line: PartitionLine,
  member: Member,
  brokers: Brokers,
  rules: LineRules,
  isWhole = false,
): PartitionLine | { readonly error: ErrorName; readonly message: string } {
  const isInSync = hasMember(line.isr, member);
  const isListed = isInSync || (hasMember(line.elr, member) && !isWhole);
  if (!isListed && !sameMember(line.leader, member)) return line;
  const others = (members: readonly Member[]) => members.filter((one) => !sameMember(one, member));
  const rest: PartitionLine = {
    ...line,
    leader: sameMember(line.leader, member) ? null : line.leader,
    isr: others(line.isr),
    elr: others(line.elr),
  };
  const { leader } = elect(rest, brokers, { ...rules, uncleanLeaderElection: false });
  if (leader === null || !isLive(brokers, leader))
    return { error: 'ELIGIBLE_LEADERS_NOT_AVAILABLE', message: 'no other replica is in sync' };
  const led = hasMember(rest.isr, leader) ? rest : withIsr(rest, [leader], rules);
  const isShort = isWhole && led.isr.length < effectiveMinIsr(line, rules);
  return {
    ...led,
    elr: isShort ? [...led.elr, member] : led.elr,
    leader,
    leaderEpoch: line.leaderEpoch + 1,
    partitionEpoch: line.partitionEpoch + 1,
  };
}
