/**
 * docs/explanation/safety-evidence.md names what shows each thing that keeps records safe. What it names
 * must be there, nothing of the list may be missing, and a row that shows nothing says so.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../stdx/root.ts';
import { mutants as lines } from './mutants/mutants.ts';
import { faultKinds } from './sim/fault-kinds.ts';
import { mutants as planted } from './sim/mutants.ts';
import { invariants } from './spec/invariants.ts';
import { mutants as rules } from './spec/mutants.ts';

const PAGE = 'docs/explanation/safety-evidence.md';

/** What has a row, section by section; a row is found by the bold words that it begins with. */
const CHECKLIST: Readonly<Record<string, readonly string[]>> = {
  Invariants: [
    ...Array.from({ length: 17 }, (_, i) => `I${i + 1}`),
    ...Array.from({ length: 5 }, (_, i) => `L${i + 1}`),
  ],
  'Rules of replication': [
    'The ISR is large enough',
    'No ISR is made smaller alone',
    'Logs that part are cut',
    'A diverging follower earns nothing',
    'Members have a life',
    'Compare-and-swap',
    'Cuts go by epoch',
    'A loss is noticed',
    'Proposed members count',
    'An unanswered proposal stands',
    'Joining from the epoch’s start',
    'Progress begins anew',
    'The epoch of an acknowledgement',
    'Going on without the API',
  ],
  'Brokers, volumes and the Kubernetes API': [
    'API restored from a backup',
    'API lost, volumes kept',
    'Nobody has everything',
    'Lease deleted by hand',
    'Two pods of one broker',
    'Volume restored or cloned',
    'Reboot taken for a kill',
    'Gap in a watch',
    'Old page',
    'Standstill',
    'Slow API',
    'API away',
    'Many silent at once',
    'Cut off from everybody',
    'Two controllers',
  ],
  'What a disk does': [
    'Records in the page cache',
    'Start after a crash',
    'What a checksum leaves out',
    'Bits that rot',
    'A flush that fails',
    'Torn writes and names',
    'Inventories and checkpoints',
    'A full disk',
    'Room kept free',
    'What clients are told',
    'The end of a log',
    'A log has one truth',
  ],
  'Bugs that others paid for': [
    'Cut before the high watermark moves',
    'Joining on an old high watermark',
    'Acknowledged under the next leader',
    'Epochs forgotten with a log',
    'A clean marker after a failed start',
    'A client that poses as a replica',
    'Duplicates by a retry',
    'Moves under faults',
    'Lost without a fault',
    'Stuck clients',
    'Messages of a transaction out of order',
    'A sequence nobody checked',
    'An abort marker compacted away',
    'A bug nobody hears of',
    'Too few replicas of its own',
    'Answers before the commit',
  ],
  'What goes wrong in tests': [
    'Killed processes',
    'Stopped processes',
    'Links',
    'Packets',
    'Clocks',
    'Membership',
    'Flipped bits and short files',
    'Lost page cache',
    'The API',
    'The controller',
    'Disks that are full or fail',
    'Nodes',
    'Load',
  ],
  'What would be an anomaly': [
    'Inconsistent offsets',
    'Duplicates',
    'Lost writes',
    'Aborted reads',
    'Own uncommitted reads',
    'Skips and steps back',
    'Order of sends',
    'Unseen in the end',
    'Cycles',
    'Torn transactions',
    'Positions of groups',
    'Time of the oldest lag',
  ],
};

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const sourcesOf = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`${folder}/${name}`))
    .join('\n');
const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** How a test is written down in its file; … stands for what a template puts in. */
function findTest(file: string, name: string): string | null {
  if (!existsSync(join(ROOT, file))) return `there is no ${file}`;
  const parts = name.split('…').map((part) => quoted(part));
  const title = parts.join('\\$\\{[^}]*\\}').replaceAll("'", "(?:'|\\\\')");
  const found = new RegExp(`\\b(?:test|it)\\(\\s*(['"\`])${title}\\1,\\s*(\\{[^}]*\\})?`).exec(
    read(file),
  );
  if (found === null) return `there is no such test in ${file}: ${name}`;
  return /\btodo\b/.test(found[2] ?? '') ? `that test is owed: ${name}` : null;
}

const names = (list: readonly { name: string }[]) => new Set(list.map(({ name }) => name));
const sim = sourcesOf('test/sim');
const chaos = sourcesOf('test/chaos');
/** Kinds of evidence: whether there is one of that name. */
const KINDS: Readonly<Record<string, (name: string) => boolean>> = {
  fault: (name) => (faultKinds as readonly string[]).includes(name),
  anomaly: (name) => new RegExp(`[\`']${quoted(name)}:? `).test(sim),
  planted: (name) => names(planted).has(name),
  mutant: (name) => names(lines).has(name),
  spec: (name) => name in invariants,
  rule: (name) => names(rules).has(name),
  chaos: (name) => new RegExp(`\\b${quoted(name)}(: async|\\(|: | =)`).test(chaos),
};

interface Row {
  readonly section: string;
  readonly name: string;
  readonly cells: readonly string[];
}

function rowsOf(text: string): Row[] {
  let section = '';
  const rows: Row[] = [];
  for (const line of text.split('\n')) {
    section = /^## (.*)$/.exec(line)?.[1] ?? section;
    const name = /^\| \*\*(.+?)\*\*/.exec(line)?.[1];
    if (name === undefined) continue;
    const cells = line.split('|').slice(1, -1);
    rows.push({ section, name, cells: cells.map((cell) => cell.trim()) });
  }
  return rows;
}

const rows = rowsOf(read(PAGE));

test('everything on the list has a row of its own, and no row is without a place on it', () => {
  const on = (section: string) =>
    rows.filter((row) => row.section === section).map(({ name }) => name);
  for (const [section, list] of Object.entries(CHECKLIST))
    assert.deepEqual(on(section), list, section);
  assert.equal(rows.length, Object.values(CHECKLIST).flat().length);
});

test('a row has what holds and what shows it, or says that it is not handled or not shown', () => {
  const wrong: string[] = [];
  for (const { cells, name } of rows) {
    const [, holds = '', shown = ''] = cells;
    if (cells.length !== 3 || holds.length < 10) wrong.push(`${name}: three cells`);
    const refs = shown.split('<br>').filter((one) => /^[a-z]+ `/.test(one));
    if (refs.length === 0 && !/\*\*Not (handled|shown)\*\*/.test(shown))
      wrong.push(`${name}: nothing shows it, and it does not say so`);
  }
  assert.deepEqual(wrong, []);
});

test('what the page names is there', () => {
  const wrong: string[] = [];
  for (const { cells, name } of rows)
    for (const ref of (cells[2] ?? '').split('<br>')) {
      if (/^\*\*Not (handled|shown)\*\*: ./.test(ref)) continue;
      const [, kind = '', of = '', title] = /^([a-z]+) `([^`]+)`(?: › (.+))?$/.exec(ref) ?? [];
      if (kind === 'test' && title !== undefined) {
        const why = findTest(of, title);
        if (why !== null) wrong.push(`${name}: ${why}`);
      } else if (KINDS[kind]?.(of) !== true || title !== undefined)
        wrong.push(`${name}: there is no ${ref}`);
    }
  assert.deepEqual(wrong, []);
});

test('every rule and invariant of the specification is evidence for something', () => {
  const page = read(PAGE);
  const all = [
    ...Object.keys(invariants).map((name) => `spec \`${name}\``),
    ...rules.map(({ name }) => `rule \`${name}\``),
  ];
  assert.deepEqual(
    all.filter((one) => !page.includes(one)),
    [],
  );
});
