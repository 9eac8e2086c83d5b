import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicsView } from './consumer-groups-core.ts';
import {
  configureTopology,
  STATUS,
  type Subtopology,
  topologyFault,
} from './streams-topology-core.ts';

const topicsOf = (sizes: Record<string, number>): TopicsView => ({
  version: 1,
  byName: (name) => (sizes[name] === undefined ? null : { id: name, partitions: sizes[name] }),
  names: () => Object.keys(sizes),
  nameOf: (id) => id,
});
const compile = (pattern: string) => (name: string) => new RegExp(`^(${pattern})$`).test(name);
const sub = (subtopologyId: string, over: Partial<Subtopology>): Subtopology => ({
  subtopologyId,
  sourceTopics: [],
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...over,
});
const internal = (name: string, partitions = 0) => ({
  name,
  partitions,
  replicationFactor: 0,
  topicConfigs: [],
});
const wordCount = [
  sub('0', { sourceTopics: ['in'], repartitionSinkTopics: ['r'] }),
  sub('1', { repartitionSourceTopics: [internal('r')], stateChangelogTopics: [internal('c')] }),
];
const configure = (subtopologies: Subtopology[], sizes: Record<string, number>) =>
  configureTopology({ epoch: 0, subtopologies }, topicsOf(sizes), compile);

test('internal topics have the partitions of what they come from', () => {
  const { problem, subtopologies, topicsToCreate } = configure(wordCount, { in: 3 });
  assert.equal(problem?.statusCode, STATUS.missingInternalTopics);
  assert.deepEqual(
    topicsToCreate.map(({ name, partitions }) => [name, partitions]),
    [
      ['r', 3],
      ['c', 3],
    ],
  );
  assert.deepEqual(
    subtopologies.map(({ isStateful, taskCount }) => [taskCount, isStateful]),
    [
      [3, false],
      [3, true],
    ],
  );
  assert.equal(configure(wordCount, { in: 3, r: 3, c: 3 }).problem, null);
});

test('what stands in the way is named', () => {
  const missing = configure(wordCount, {}).problem;
  assert.equal(missing?.statusCode, STATUS.missingSourceTopics);
  assert.match(missing?.statusDetail ?? '', /in are missing/);
  const wrong = configure(wordCount, { in: 3, r: 3, c: 2 }).problem;
  assert.equal(wrong?.statusCode, STATUS.incorrectlyPartitionedTopics);
  assert.match(wrong?.statusDetail ?? '', /expected 3, found 2/);
  const loop = [
    sub('0', {
      sourceTopics: ['in'],
      repartitionSourceTopics: [internal('r')],
      repartitionSinkTopics: ['r'],
    }),
  ];
  assert.equal(configure(loop, { in: 1 }).problem?.statusCode, STATUS.incorrectlyPartitionedTopics);
});

test('topics that are joined must have the same number of partitions', () => {
  const group = { sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] };
  const join = [sub('0', { sourceTopics: ['a', 'b'], copartitionGroups: [group] })];
  assert.equal(configure(join, { a: 2, b: 2 }).problem, null);
  const odd = configure(join, { a: 2, b: 3 }).problem;
  assert.equal(odd?.statusCode, STATUS.incorrectlyPartitionedTopics);
  assert.match(odd?.statusDetail ?? '', /a:2, b:3/);
  // A repartition topic adapts to the topic that it is joined with, whatever it is made from.
  const both = { sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] };
  const adapts = [
    sub('0', { sourceTopics: ['wide'], repartitionSinkTopics: ['r'] }),
    sub('1', {
      sourceTopics: ['a'],
      repartitionSourceTopics: [internal('r')],
      copartitionGroups: [both],
    }),
  ];
  const [topic] = configure(adapts, { wide: 8, a: 2 }).topicsToCreate;
  assert.deepEqual([topic?.name, topic?.partitions], ['r', 2]);
});

test('source topics may be named by a pattern', () => {
  const { subtopologies } = configure([sub('0', { sourceTopicRegex: ['in-.*'] })], {
    'in-1': 2,
    'in-2': 4,
    other: 9,
  });
  assert.deepEqual(subtopologies[0]?.sourceTopics, ['in-1', 'in-2']);
  assert.equal(subtopologies[0]?.taskCount, 4);
});

test('a topology that contradicts itself is refused', () => {
  const fault = (subtopologies: Subtopology[]) => topologyFault({ epoch: 0, subtopologies });
  assert.equal(fault(wordCount), null);
  assert.match(fault([]) ?? '', /must have/);
  assert.match(fault([sub('0', {})]) ?? '', /reads no topics/);
  assert.match(fault([wordCount[0] as Subtopology, wordCount[0] as Subtopology]) ?? '', /twice/);
  const group = { sourceTopics: [5], sourceTopicRegex: [], repartitionSourceTopics: [] };
  assert.match(
    fault([sub('0', { sourceTopics: ['a'], copartitionGroups: [group] })]) ?? '',
    /not listed/,
  );
});
