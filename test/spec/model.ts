/**
 * The specification of leadership and replication as a machine that can be explored: one partition
 * on three brokers, whose decisions are the product's own pure cores (leader-core, election-core,
 * divergence-core, leader-epochs). The model adds what happens around them: messages that are slow
 * or lost, processes that die, disks that forget, a controller that errs about who lives.
 */
import { LeaderEpochs } from '../../broker/log/leader-epochs.ts';
import {
  alterIsr,
  type BrokerView,
  type LineRules,
  settleLine,
} from '../../broker/metadata/election-core.ts';
import { type IsrRules, LeaderCore } from '../../broker/partition/leader-core.ts';
import { cutTarget, type LogEnds, partingOf } from '../../broker/replication/divergence-core.ts';
import { type Member, type PartitionLine, sameMember } from '../../kube/partition-line.ts';

export const BROKERS = [0, 1, 2] as const;
const MIN_ISR = 2;
const LINE_RULES: LineRules = { minInsyncReplicas: MIN_ISR, uncleanLeaderElection: false };
const NEVER_LAGS: IsrRules = { minInsyncReplicas: MIN_ISR, replicaLagTimeMaxMs: Infinity };
/** Whoever is behind by the clock of `lagging` lags, nobody else. */
const LAGS: IsrRules = { minInsyncReplicas: MIN_ISR, replicaLagTimeMaxMs: 0 };

/** How often each thing may happen in one history. */
export interface Bounds {
  readonly records: number;
  readonly leaderEpochs: number;
  /** The controller takes a live broker for dead. */
  readonly fences: number;
  /** A process dies and comes back with what its disk has. */
  readonly kills: number;
  /** A machine loses its power, and its disk forgets the end of the log. */
  readonly losses: number;
  /** Changes of the ISR that leaders ask for. */
  readonly proposals: number;
  /** A leader that must not act on its leadership for a while. */
  readonly suspensions: number;
  /** A broker says that it is leaving. */
  readonly drains: number;
}

/** A record: who wrote it and which it is. */
export interface Entry {
  readonly leaderEpoch: number;
  readonly value: number;
}

/** A follower's word on its way to a leader: where its log ends. */
interface Ack {
  readonly follower: Member;
  readonly leader: Member;
  readonly leaderEpoch: number;
  readonly logEndOffset: number;
  readonly lastEpoch: number;
}

export interface Replica {
  readonly id: number;
  readonly up: boolean;
  readonly epoch: number;
  readonly keptSince: number;
  /** What it has on its disk may be less than it had. */
  readonly lost: boolean;
  readonly log: readonly Entry[];
  readonly highWatermark: number;
  readonly view: PartitionLine | null;
  readonly isLeading: boolean;
  readonly led: LeaderCore | null;
  readonly ack: Ack | null;
}

interface Request {
  readonly leader: Member;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly isr: readonly Member[];
}

export interface State {
  readonly line: PartitionLine;
  readonly views: readonly BrokerView[];
  readonly replicas: readonly Replica[];
  readonly requests: readonly Request[];
  /** What somebody was told is committed. */
  readonly committed: readonly Entry[];
  readonly left: Bounds;
  readonly nextValue: number;
}

export interface Step {
  readonly name: string;
  readonly state: State;
}

/** Rules of the shells around the cores that a planted bug may break. */
export interface Rules {
  readonly remembersLeadership: boolean;
  readonly cutsWhereLogsPart: boolean;
  readonly cutsToHighWatermark: boolean;
  readonly noticesLoss: boolean;
  readonly keepsProposal: boolean;
  readonly checksPartitionEpoch: boolean;
}
export const SOUND: Rules = {
  remembersLeadership: true,
  cutsWhereLogsPart: true,
  cutsToHighWatermark: false,
  noticesLoss: true,
  keepsProposal: true,
  checksPartitionEpoch: true,
};

export function start(bounds: Bounds): State {
  const isr = BROKERS.map((id) => ({ id, epoch: 1 }));
  const line: PartitionLine = {
    topic: 't',
    topicId: 'x',
    partition: 0,
    leader: { id: 0, epoch: 1 },
    leaderEpoch: 0,
    partitionEpoch: 0,
    replicas: [...BROKERS],
    isr,
    elr: [],
    adding: [],
    removing: [],
  };
  const base: State = {
    line,
    views: BROKERS.map((id) => ({
      id,
      epoch: 1,
      live: true,
      draining: false,
      keptSince: 0,
      rack: null,
    })),
    replicas: BROKERS.map((id) => ({
      id,
      up: true,
      epoch: 1,
      keptSince: 0,
      lost: false,
      log: [],
      highWatermark: 0,
      view: null,
      isLeading: false,
      led: null,
      ack: null,
    })),
    requests: [],
    committed: [],
    left: bounds,
    nextValue: 1,
  };
  return BROKERS.reduce((state, id) => see(state, id, SOUND), base);
}

const replicaOf = (state: State, id: number) => state.replicas[id] as Replica;
const selfOf = ({ epoch, id }: Replica): Member => ({ id, epoch });

function endsOf({ log }: Replica): LogEnds {
  const epochs = new LeaderEpochs();
  for (const [offset, { leaderEpoch }] of log.entries()) epochs.assign(leaderEpoch, offset);
  return { epochs, startOffset: 0, endOffset: log.length };
}

function withReplica(state: State, id: number, change: Partial<Replica>): State {
  const replicas = state.replicas.map((one) => (one.id === id ? { ...one, ...change } : one));
  return { ...state, replicas };
}

function spend(state: State, what: keyof Bounds): State {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } };
}

/** The core is the product's and changes in place: a copy for every next state. */
function copyOf(core: LeaderCore): LeaderCore {
  const copy = Object.assign(Object.create(LeaderCore.prototype) as LeaderCore, core);
  const followers = core.progress.map((one) => [one.id, { ...one }] as const);
  return Object.assign(copy, { followers: new Map(followers) });
}

/** After the leader's core changed: what is committed now somebody has been told. */
function settleLeader(state: State, id: number, core: LeaderCore): State {
  const { log } = replicaOf(state, id);
  core.advance(log.length, NEVER_LAGS);
  const next = withReplica(state, id, { led: core, highWatermark: core.highWatermark });
  if (core.highWatermark <= state.committed.length) return next;
  return { ...next, committed: log.slice(0, core.highWatermark) };
}

/** The broker takes note of the line as it is now: `Partition.applyLine`. */
function see(state: State, id: number, rules: Rules): State {
  const replica = replicaOf(state, id);
  const { line } = state;
  const self = selfOf(replica);
  const known = { view: line };
  if (!sameMember(line.leader, self)) {
    const highWatermark = replica.highWatermark;
    const isNewFollower = line.leader !== null && line.leader.id !== id && replica.isLeading;
    const cut = rules.cutsToHighWatermark && isNewFollower;
    const log = cut ? replica.log.slice(0, highWatermark) : replica.log;
    return withReplica(state, id, { ...known, isLeading: false, log });
  }
  const { led } = replica;
  const isSame = led !== null && led.line.leaderEpoch === line.leaderEpoch;
  if (isSame && (rules.remembersLeadership || replica.isLeading)) {
    const core = copyOf(led);
    core.onLine(line, 0);
    return settleLeader(withReplica(state, id, { ...known, isLeading: true }), id, core);
  }
  const core = new LeaderCore(line, self, {
    endOffset: replica.log.length,
    highWatermark: replica.highWatermark,
    nowMs: 0,
  });
  return settleLeader(withReplica(state, id, { ...known, isLeading: true }), id, core);
}

/** Everything that can happen next. */
export function* steps(state: State, rules: Rules): Generator<Step> {
  for (const replica of state.replicas) {
    yield* processSteps(state, replica, rules);
    if (replica.up) {
      yield* leaderSteps(state, replica, rules);
      yield* followerSteps(state, replica);
    }
    if (replica.ack !== null) yield* receive(state, replica, replica.ack, rules);
  }
  yield* controllerSteps(state, rules);
}

function* processSteps(state: State, replica: Replica, rules: Rules): Generator<Step> {
  const { epoch, id, log } = replica;
  const down = {
    up: false,
    view: null,
    isLeading: false,
    led: null,
    highWatermark: 0,
  };
  if (!replica.up) {
    const life = epoch + 1;
    const lost = replica.lost && rules.noticesLoss;
    const keptSince = lost ? life : replica.keptSince;
    const views = state.views.map((view) =>
      view.id === id ? { ...view, epoch: life, live: true, draining: false, keptSince } : view,
    );
    const next = withReplica(state, id, { up: true, epoch: life, keptSince, lost: false });
    yield { name: `start(${id})`, state: { ...next, views } };
    return;
  }
  if (replica.view === null || replica.view.partitionEpoch < state.line.partitionEpoch)
    yield { name: `see(${id})`, state: see(state, id, rules) };
  if (state.left.kills > 0)
    yield { name: `kill(${id})`, state: spend(withReplica(state, id, down), 'kills') };
  if (state.left.losses > 0 && log.length > 0)
    for (let kept = 0; kept < log.length; kept++) {
      const next = withReplica(state, id, { ...down, lost: true, log: log.slice(0, kept) });
      yield { name: `losePower(${id} keeps ${kept})`, state: spend(next, 'losses') };
    }
  if (state.left.suspensions > 0 && replica.isLeading)
    yield {
      name: `suspend(${id})`,
      // It sees its line again, and may go on.
      state: spend(withReplica(state, id, { isLeading: false, view: null }), 'suspensions'),
    };
}

function* leaderSteps(state: State, replica: Replica, rules: Rules): Generator<Step> {
  const { id, isLeading, led, log } = replica;
  if (!isLeading || led === null) return;
  if (state.left.records > 0) {
    const entry = { leaderEpoch: led.line.leaderEpoch, value: state.nextValue };
    const next = withReplica(state, id, { log: [...log, entry] });
    yield {
      name: `produce(${id})`,
      state: settleLeader(
        { ...spend(next, 'records'), nextValue: state.nextValue + 1 },
        id,
        copyOf(led),
      ),
    };
  }
  if (state.requests.length < 2 && state.left.proposals > 0 && !led.hasProposal) {
    for (const lagging of [null, ...BROKERS]) {
      if (lagging === id) continue;
      const core = copyOf(led);
      const late = core.progress.find((one) => one.id === lagging);
      const wasFollowing = late?.following === true;
      if (late !== undefined) Object.assign(late, { following: false, sinceMs: -1 });
      const isr = core.propose(
        log.length,
        lagging === null ? NEVER_LAGS : LAGS,
        () => lagging === null,
        0,
      );
      if (late !== undefined) Object.assign(late, { following: wasFollowing, sinceMs: 0 });
      if (isr === null) continue;
      const { leaderEpoch, partitionEpoch } = led.line;
      const request = { leader: selfOf(replica), leaderEpoch, partitionEpoch, isr };
      const kept = rules.keepsProposal ? core : copyOf(led);
      const next = withReplica(state, id, { led: kept });
      yield {
        name: `propose(${id}: ${isr.map((member) => member.id).join('+')})`,
        state: spend({ ...next, requests: [...state.requests, request] }, 'proposals'),
      };
    }
  }
}

function* followerSteps(state: State, replica: Replica): Generator<Step> {
  const { ack, id, log, view } = replica;
  const leader = view?.leader ?? null;
  if (ack === null && view !== null && leader !== null && leader.id !== id) {
    const message: Ack = {
      follower: selfOf(replica),
      leader,
      leaderEpoch: view.leaderEpoch,
      logEndOffset: log.length,
      lastEpoch: endsOf(replica).epochs.latest,
    };
    yield { name: `ack(${id} has ${log.length})`, state: withReplica(state, id, { ack: message }) };
  }
}

/** The leader hears of a follower; its answer arrives or does not. */
function* receive(state: State, follower: Replica, ack: Ack, rules: Rules): Generator<Step> {
  const { id } = follower;
  const taken = withReplica(state, id, { ack: null });
  // Words of a stream that is over may come late, or never.
  if (ack.follower.epoch !== follower.epoch || ack.leaderEpoch !== follower.view?.leaderEpoch)
    yield { name: `lost(${id})`, state: taken };
  const leader = replicaOf(state, ack.leader.id);
  const isMeant = leader.up && leader.epoch === ack.leader.epoch && leader.view !== null;
  if (!isMeant || leader.led === null) return yield { name: `lost(${id})`, state: taken };
  const known = leader.view?.leaderEpoch ?? -1;
  if (!leader.isLeading || known !== ack.leaderEpoch) {
    // Whoever is told of a newer epoch stops leading.
    const isStale = leader.isLeading && ack.leaderEpoch > known;
    const next = isStale ? withReplica(taken, leader.id, { isLeading: false }) : taken;
    return yield { name: `refuse(${id} by ${leader.id})`, state: next };
  }
  const isFresh =
    follower.up &&
    follower.epoch === ack.follower.epoch &&
    follower.view?.leaderEpoch === ack.leaderEpoch &&
    follower.log.length === ack.logEndOffset;
  const parting = partingOf(endsOf(leader), ack);
  if (parting !== null && 'diverging' in parting && rules.cutsWhereLogsPart) {
    if (!isFresh) return yield { name: `lost(${id})`, state: taken };
    const to = cutTarget(endsOf(follower), parting.diverging);
    const highWatermark = Math.min(follower.highWatermark, to);
    const log = follower.log.slice(0, to);
    return yield {
      name: `cut(${id} to ${to} by ${leader.id})`,
      state: withReplica(taken, id, { log, highWatermark }),
    };
  }
  const core = copyOf(leader.led);
  core.onFollower(
    {
      id,
      brokerEpoch: ack.follower.epoch,
      endOffset: Math.min(ack.logEndOffset, leader.log.length),
    },
    0,
  );
  const heard = settleLeader(taken, leader.id, core);
  yield { name: `hear(${leader.id} of ${id} at ${ack.logEndOffset})`, state: heard };
  const nextEntry = leader.log[ack.logEndOffset];
  if (!isFresh) return;
  const log = nextEntry === undefined ? follower.log : [...follower.log, nextEntry];
  const told = Math.min(core.highWatermark, log.length);
  const highWatermark = Math.max(follower.highWatermark, told);
  yield {
    name: `copy(${id} from ${leader.id} at ${ack.logEndOffset})`,
    state: withReplica(heard, id, { log, highWatermark }),
  };
}

function* controllerSteps(state: State, rules: Rules): Generator<Step> {
  const brokers = new Map(state.views.map((view) => [view.id, view]));
  for (const [i, request] of state.requests.entries()) {
    const requests = state.requests.filter((_, at) => at !== i);
    const base = rules.checksPartitionEpoch ? request.partitionEpoch : state.line.partitionEpoch;
    const result = alterIsr(state.line, { ...request, partitionEpoch: base }, brokers, LINE_RULES);
    if (typeof result !== 'string') {
      yield { name: 'grant', state: { ...state, requests, line: result } };
      continue;
    }
    yield { name: 'refuse, unheard', state: { ...state, requests } };
    const { led, up } = replicaOf(state, request.leader.id);
    const isOpen =
      up &&
      led?.hasProposal === true &&
      led.line.leaderEpoch === request.leaderEpoch &&
      led.line.partitionEpoch === request.partitionEpoch &&
      state.line.partitionEpoch === request.partitionEpoch;
    if (!isOpen || led === null) continue;
    const core = copyOf(led);
    core.onProposalRefused();
    yield {
      name: 'refuse',
      state: settleLeader({ ...state, requests }, request.leader.id, core),
    };
  }
  const settled = settleLine(state.line, brokers, LINE_RULES).line;
  if (settled !== state.line && settled.leaderEpoch <= state.left.leaderEpochs)
    yield {
      name: `settle(leader ${settled.leader?.id ?? 'none'})`,
      state: { ...state, line: settled },
    };
  for (const view of state.views) {
    const { up } = replicaOf(state, view.id);
    const change = (more: Partial<BrokerView>) =>
      state.views.map((one) => (one === view ? { ...one, ...more } : one));
    if (view.live && !up)
      yield { name: `notice(${view.id})`, state: { ...state, views: change({ live: false }) } };
    if (view.live && up && state.left.fences > 0)
      yield {
        name: `fence(${view.id})`,
        state: spend({ ...state, views: change({ live: false }) }, 'fences'),
      };
    if (!view.live && up)
      yield { name: `unfence(${view.id})`, state: { ...state, views: change({ live: true }) } };
    if (view.live && up && !view.draining && state.left.drains > 0)
      yield {
        name: `drain(${view.id})`,
        state: spend({ ...state, views: change({ draining: true }) }, 'drains'),
      };
  }
}
