/**
 * How much of a coordinator clients may fill: what is remembered of groups and transactional ids is all in
 * memory, and what is written of a group at once must fit into a batch. Pure.
 */
import type { ErrorName } from '../../proto/kafka/errors.ts';
import type { Group, GroupMember } from './group.ts';
import type { JoinRequest } from './group-core.ts';
import type { Transaction } from './txn-records.ts';

/** Groups of all protocols on one broker. */
export const GROUPS_MAX = 50_000;
/** Member ids that were handed out in a group and not used yet. */
export const PENDING_MAX = 1_000;
/** Transactional ids in a partition of __transaction_state. */
export const TRANSACTIONAL_IDS_MAX = 20_000;
/** How many of them make room at once. */
const MAKE_ROOM = TRANSACTIONAL_IDS_MAX / 20;
/** Who only asked for a producer id, and did nothing with it for so long, makes room first. */
const UNUSED_MS = 60_000;
/** Others have ended a transaction, and none began since. */
const IDLE_MS = 3_600_000;
/** Around what is written of a member, besides what it says itself. */
const MEMBER_BYTES = 200;

/** Bytes that texts and buffers take within a request, about as they are written. */
export function bytesIn(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + 2;
  if (Buffer.isBuffer(value)) return value.length + 4;
  if (value instanceof Map) {
    let sum = 8;
    for (const [key, of] of value) sum += bytesIn(key) + bytesIn(of);
    return sum;
  }
  if (Array.isArray(value) || value instanceof Set) {
    let sum = 4;
    for (const one of value) sum += bytesIn(one);
    return sum;
  }
  if (typeof value !== 'object' || value === null) return 8;
  return bytesIn(Object.values(value));
}

/** Some room is left for what else a record says. */
const SHARE_OF_BATCH = 0.9;

/** What is written of a member, except for its assignment. */
function memberBytes({
  memberId,
  clientId,
  clientHost,
  protocols,
}: Pick<GroupMember, 'memberId' | 'clientId' | 'clientHost' | 'protocols'>): number {
  let largest = 0;
  for (const { metadata } of protocols) largest = Math.max(largest, metadata.length);
  // The id begins with the client's or the instance's name.
  return MEMBER_BYTES + largest + 2 * memberId.length + clientId.length + clientHost.length;
}

/** Why a member must not join: NONE, or that the group would not fit into a batch. */
export function judgeJoin(
  group: Group | undefined,
  request: JoinRequest,
  bytesMax: number,
): ErrorName {
  const { instanceId, memberId } = request;
  const replaced = instanceId === null ? undefined : group?.staticMembers.get(instanceId);
  let sum = memberBytes(request) + 2 * (instanceId ?? '').length;
  for (const member of group?.members.values() ?? [])
    if (member.memberId !== memberId && member.memberId !== replaced) sum += memberBytes(member);
  if (sum > bytesMax * SHARE_OF_BATCH || bytesIn(request.protocols) > bytesMax)
    return 'GROUP_MAX_SIZE_REACHED';
  const isPendingFull = memberId === '' && (group?.pending.size ?? 0) >= PENDING_MAX;
  return isPendingFull ? 'GROUP_MAX_SIZE_REACHED' : 'NONE';
}

/** Why an assignment must not be taken: NONE, or that the group would not fit into a batch with it. */
export function judgeAssignments(
  group: Group | undefined,
  assignments: readonly { readonly assignment: Buffer }[],
  bytesMax: number,
): ErrorName {
  if (group === undefined || assignments.length === 0) return 'NONE';
  let sum = 0;
  for (const { assignment } of assignments) sum += assignment.length;
  for (const member of group.members.values()) sum += memberBytes(member);
  return sum > bytesMax * SHARE_OF_BATCH ? 'INVALID_REQUEST' : 'NONE';
}

/** Transactional ids that make room for others: those idle for longest, never one with a transaction. */
export function idleIds(txns: Iterable<Transaction>, nowMs: number): string[] {
  const unused: Transaction[] = [];
  const ended: Transaction[] = [];
  for (const txn of txns) {
    const idleMs = nowMs - txn.updatedMs;
    const { epoch, state } = txn;
    if (state === 'Empty' && epoch <= 0 && idleMs >= UNUSED_MS) unused.push(txn);
    else if (
      (state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort') &&
      idleMs >= IDLE_MS
    )
      ended.push(txn);
  }
  const byAge = (a: Transaction, b: Transaction) => a.updatedMs - b.updatedMs;
  return [...unused.sort(byAge), ...ended.sort(byAge)]
    .slice(0, MAKE_ROOM)
    .map(({ transactionalId }) => transactionalId);
}
