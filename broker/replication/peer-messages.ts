/**
 * What a message of another broker must be to be looked at: every field of every message, by its proto
 * definition's name. A peer of another version, or none of ours at all, is told INVALID_ARGUMENT; nothing
 * behind this entrance meets a member that is not there, or a number that JavaScript cannot count with. Pure.
 *
 * Looked at for every message of a stream: no rule makes anything.
 */

interface Rule {
  readonly name: string;
  /** Null: it is checked by itself. */
  readonly fields: readonly Rule[] | null;
  readonly isList: boolean;
  readonly isOptional: boolean;
  readonly type: 'number' | 'string' | 'boolean' | 'bytes' | 'message';
  /** Of a number, or of a string's length. */
  readonly min: number;
  readonly max: number;
  readonly words: ReadonlySet<string> | null;
}

const INT16_MAX = 0x7fff;
const INT32_MAX = 0x7fff_ffff;
const UINT32_MAX = 0xffff_ffff;
/** Elements of one list; a broker has fewer partitions. */
const LIST_MAX = 200_000;
/** Kafka's longest names of topics, and of what has no limit of its own. */
const TOPIC_MAX = 249;
const STRING_MAX = INT16_MAX;

const base = { fields: null, isList: false, isOptional: false, min: 0, max: 0, words: null };
const number = (name: string, min: number, max: number): Rule => ({
  ...base,
  name,
  type: 'number',
  min,
  max,
});
const uint32 = (name: string) => number(name, 0, UINT32_MAX);
const int32 = (name: string, min = 0) => number(name, min, INT32_MAX);
const int16 = (name: string, min = 0) => number(name, min, INT16_MAX);
const int64 = (name: string, min = 0) => number(name, min, Number.MAX_SAFE_INTEGER);
const text = (name: string, max = STRING_MAX): Rule => ({ ...base, name, type: 'string', max });
const flag = (name: string): Rule => ({ ...base, name, type: 'boolean' });
const word = (name: string, ...words: string[]): Rule => ({
  ...text(name),
  words: new Set(words),
});
const message = (name: string, ...fields: Rule[]): Rule => ({
  ...base,
  name,
  type: 'message',
  fields,
});
const list = (rule: Rule): Rule => ({ ...rule, isList: true });
const optional = (rule: Rule): Rule => ({ ...rule, isOptional: true });

const member = (name: string) => message(name, int32('id'), int64('epoch', -1));
const topicPartition = [text('topic', TOPIC_MAX), int32('partition')];
const topicIdPartition = [text('topicId', TOPIC_MAX), int32('partition')];
const shareKey = message('key', text('groupId'), ...topicIdPartition);

/** By the method whose request it is. */
export const requests = {
  Follow: message(
    'message',
    optional(message('hello', text('clusterId'), member('follower'), member('leader'))),
    optional(
      list(
        message(
          'subscribe',
          uint32('handle'),
          ...topicIdPartition,
          int32('leaderEpoch', -1),
          int64('logEndOffset'),
          int32('lastEpoch', -1),
          optional(flag('refused')),
          optional(uint32('answer')),
          optional(int64('logStartOffset')),
        ),
      ),
    ),
    optional(
      list(
        message(
          'ack',
          uint32('handle'),
          int32('leaderEpoch', -1),
          int64('logEndOffset'),
          optional(int64('logStartOffset')),
        ),
      ),
    ),
    optional(list(uint32('unsubscribe'))),
    optional(uint32('takenBytes')),
    optional(list(message('moved', uint32('handle'), int32('leaderEpoch', -1)))),
  ),
  Presence: message('message'),
  AlterPartition: message(
    'request',
    member('leader'),
    list(
      message(
        'changes',
        ...topicIdPartition,
        int32('leaderEpoch', -1),
        int32('partitionEpoch', -1),
        list(member('isr')),
      ),
    ),
  ),
  Leave: message('request', member('broker')),
  AllocateProducerIds: message('request', member('broker')),
  ChangePartitions: message(
    'request',
    list(
      message(
        'wishes',
        ...topicIdPartition,
        word('kind', 'reassign', 'cancel', 'elect', 'withdraw'),
        optional(list(int32('replicas'))),
        optional(flag('allowReplicationFactorChange')),
        optional(flag('unclean')),
        optional(member('member')),
        optional(flag('isWhole')),
      ),
    ),
  ),
  ReportReplicas: message('request', flag('full')),
  WriteMarkers: message(
    'request',
    list(
      message(
        'markers',
        int64('producerId'),
        int16('producerEpoch'),
        int32('coordinatorEpoch', -1),
        flag('committed'),
        int16('transactionVersion'),
        list(message('partitions', ...topicPartition)),
      ),
    ),
  ),
  AddPartitions: message(
    'request',
    text('transactionalId'),
    int64('producerId'),
    int16('producerEpoch'),
    flag('verifyOnly'),
    int16('clientVersion'),
    list(message('partitions', ...topicPartition)),
  ),
  Read: message('request', shareKey, int32('leaderEpoch', -1)),
  Write: message(
    'request',
    shareKey,
    int32('leaderEpoch', -1),
    int64('startOffset', -1),
    list(
      message(
        'batches',
        int64('firstOffset'),
        int64('lastOffset'),
        int16('deliveryState'),
        int32('deliveryCount'),
      ),
    ),
    flag('remove'),
  ),
} as const satisfies Readonly<Record<string, Rule>>;

/** What comes back on a follower's stream. */
export const leaderMessage = message(
  'message',
  optional(
    list(
      message(
        'data',
        uint32('handle'),
        int32('leaderEpoch', -1),
        int64('highWatermark'),
        int64('logStartOffset'),
        { ...base, name: 'records', type: 'bytes' },
      ),
    ),
  ),
  optional(
    list(
      message(
        'refusal',
        uint32('handle'),
        optional(word('why', 'diverging', 'logStartOffset', 'fencedByEpoch')),
        optional(message('diverging', int32('epoch', -1), int64('endOffset', -1))),
        optional(int64('logStartOffset')),
        optional(int32('fencedByEpoch', -1)),
        optional(uint32('question')),
      ),
    ),
  ),
);

function faultOfOne(rule: Rule, value: unknown): string | null {
  const { type, name, min, max, words } = rule;
  if (type === 'message') {
    if (value === null || typeof value !== 'object') return `${name} is missing`;
    const fields = rule.fields as readonly Rule[];
    for (let i = 0; i < fields.length; i++) {
      const fault = faultOfField(fields[i] as Rule, value as Readonly<Record<string, unknown>>);
      if (fault !== null) return fault;
    }
    return null;
  }
  if (type === 'number')
    return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `${name} must be a whole number from ${min} to ${max}`;
  if (type === 'bytes') return Buffer.isBuffer(value) ? null : `${name} must be bytes`;
  const found: string = typeof value;
  if (found !== type) return `${name} must be a ${type}`;
  if (type !== 'string') return null;
  if ((value as string).length > max) return `${name} must not be longer than ${max}`;
  return words === null || words.has(value as string) ? null : `${name} is not known`;
}

function faultOfField(rule: Rule, of: Readonly<Record<string, unknown>>): string | null {
  const value = of[rule.name];
  if (value === undefined || value === null)
    return rule.isOptional ? null : `${rule.name} is missing`;
  if (!rule.isList) return faultOfOne(rule, value);
  if (!Array.isArray(value)) return `${rule.name} must be a list`;
  if (value.length > LIST_MAX) return `${rule.name} must not be longer than ${LIST_MAX}`;
  for (let i = 0; i < value.length; i++) {
    const fault = faultOfOne(rule, value[i]);
    if (fault !== null) return fault;
  }
  return null;
}

/** Why a message cannot be looked at, as a sentence; null: it can. */
export function faultIn(rule: Rule, value: unknown): string | null {
  return faultOfOne(rule, value);
}

/** Who a request says that its sender is; null: it does not say. */
export function claimOf(method: string, request: unknown): number | null {
  const { broker, leader, hello, wishes } = (request ?? {}) as {
    readonly broker?: { readonly id: number };
    readonly leader?: { readonly id: number };
    readonly hello?: { readonly follower: { readonly id: number } } | null;
    readonly wishes?: readonly {
      readonly kind: string;
      readonly member?: { readonly id: number };
    }[];
  };
  switch (method) {
    case 'Follow':
      return hello?.follower.id ?? null;
    case 'AlterPartition':
      return leader?.id ?? null;
    case 'Leave':
    case 'AllocateProducerIds':
      return broker?.id ?? null;
    case 'ChangePartitions': {
      // A replica withdraws by its own broker alone; what administrators want comes through any.
      const own = (wishes ?? []).filter(({ kind }) => kind === 'withdraw');
      const ids = new Set(own.map(({ member }) => member?.id ?? -1));
      return ids.size === 0 ? null : ids.size === 1 ? ([...ids][0] as number) : -1;
    }
    default:
      return null;
  }
}
