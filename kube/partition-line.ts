/**
 * The state of one partition as one line of text in a KafkaPartitionMap page. Pure.
 *
 *     orders-3 id=bq…Q leader=1@7 epoch=5 version=12 replicas=1,2,3 isr=1@7,2@4 elr=
 *
 * ISR and ELR name members as broker id and broker epoch: a broker that came back with a new
 * epoch is not a member until it is admitted again (KIP-903).
 */

/** A broker process: the id says which broker, the epoch which of its lives. */
export interface Member {
  readonly id: number;
  readonly epoch: number;
}

export interface PartitionLine {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** Null: nobody may lead; the partition is offline. */
  readonly leader: Member | null;
  readonly leaderEpoch: number;
  /** Grows with every change of the line. */
  readonly partitionEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly Member[];
  readonly elr: readonly Member[];
  /** While the partition moves to other brokers: the replicas that come, and those that will go. */
  readonly adding: readonly number[];
  readonly removing: readonly number[];
}

export function sameMember(a: Member | null, b: Member | null): boolean {
  return a === b || (a !== null && b !== null && a.id === b.id && a.epoch === b.epoch);
}

export function hasMember(members: readonly Member[], { id, epoch }: Member): boolean {
  return members.some((member) => member.id === id && member.epoch === epoch);
}

/** Whether the partition is on its way to other brokers. */
export function isMoving({ adding, removing }: PartitionLine): boolean {
  return adding.length > 0 || removing.length > 0;
}

/** The replicas that a partition is to have in the end. */
export function targetReplicas({ replicas, removing }: PartitionLine): number[] {
  return replicas.filter((id) => !removing.includes(id));
}

/** The key under which a partition is known everywhere. */
export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}:${partition}`;
}

const memberText = ({ id, epoch }: Member) => `${id}@${epoch}`;

export function formatLine(line: PartitionLine): string {
  const fields = [
    `${line.topic}-${line.partition}`,
    `id=${line.topicId}`,
    `leader=${line.leader === null ? 'none' : memberText(line.leader)}`,
    `epoch=${line.leaderEpoch}`,
    `version=${line.partitionEpoch}`,
    `replicas=${line.replicas.join(',')}`,
    `isr=${line.isr.map(memberText).join(',')}`,
    `elr=${line.elr.map(memberText).join(',')}`,
  ];
  if (line.adding.length > 0) fields.push(`adding=${line.adding.join(',')}`);
  if (line.removing.length > 0) fields.push(`removing=${line.removing.join(',')}`);
  return fields.join(' ');
}

function parseMember(text: string): Member {
  const [id, epoch] = text.split('@').map(Number);
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(epoch)) {
    throw new SyntaxError(`a member must read id@epoch, not "${text}"`);
  }
  return { id: id as number, epoch: epoch as number };
}

const parseMembers = (text: string) => (text === '' ? [] : text.split(',').map(parseMember));
const parseIds = (text: string) => (text === '' ? [] : text.split(',').map(parseNumber));
function parseNumber(text: string): number {
  const number = Number(text);
  if (text === '' || !Number.isSafeInteger(number))
    throw new SyntaxError(`a partition line must have a whole number where it has "${text}"`);
  return number;
}

/** @throws SyntaxError where the text is not such a line. */
export function parseLine(text: string): PartitionLine {
  const [name = '', ...pairs] = text.split(' ');
  const fields = new Map(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  const of = (field: string) => {
    const value = fields.get(field);
    if (value === undefined) throw new SyntaxError(`partition line "${name}" must have ${field}=`);
    return value;
  };
  const dash = name.lastIndexOf('-');
  const leader = of('leader');
  return {
    topic: name.slice(0, dash),
    partition: parseNumber(name.slice(dash + 1)),
    topicId: of('id'),
    leader: leader === 'none' ? null : parseMember(leader),
    leaderEpoch: parseNumber(of('epoch')),
    partitionEpoch: parseNumber(of('version')),
    replicas: parseIds(of('replicas')),
    isr: parseMembers(of('isr')),
    elr: parseMembers(of('elr')),
    adding: parseIds(fields.get('adding') ?? ''),
    removing: parseIds(fields.get('removing') ?? ''),
  };
}

export function parsePage(text: string): PartitionLine[] {
  return text === '' ? [] : text.trimEnd().split('\n').map(parseLine);
}

export function formatPage(lines: readonly PartitionLine[]): string {
  return lines.map((line) => `${formatLine(line)}\n`).join('');
}
