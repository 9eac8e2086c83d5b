/** What can be done with topics, whichever command line asks for it. */
import { type AdminClient, check } from '../client/admin.ts';
import { describeConfigsResponse } from '../proto/kafka/messages/32-describe-configs.ts';
import { apis } from '../proto/kafka/messages/index.ts';
import type { Infer } from '../proto/kafka/schema.ts';

const TOPIC = 2;
const TIMEOUT_MS = 30_000;

type Configs = Infer<typeof describeConfigsResponse>['results'][number]['configs'];

/** `name=value` pairs. @throws Error with a sentence. */
export function parseConfigs(pairs: readonly string[]): { name: string; value: string }[] {
  return pairs
    .flatMap((text) => text.split(/,(?=[a-z.]+=)/))
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Error(`a configuration must read name=value, not "${pair}"`);
      return { name: pair.slice(0, at), value: pair.slice(at + 1) };
    });
}

export async function createTopic(
  admin: AdminClient,
  of: {
    name: string;
    partitions: number;
    replicas: number;
    configs: readonly { name: string; value: string }[];
    ifNotExists: boolean;
  },
): Promise<string> {
  const topic = {
    name: of.name,
    numPartitions: of.partitions,
    replicationFactor: of.replicas,
    configs: [...of.configs],
  };
  const { topics } = await admin.any(apis.CreateTopics, 7, {
    topics: [topic],
    timeoutMs: TIMEOUT_MS,
  });
  const code = topics[0]?.errorCode ?? -1;
  const exists = code === 36;
  if (!(exists && of.ifNotExists)) check(code, topics[0]?.errorMessage);
  return `Created topic ${of.name}.`;
}

export async function listTopics(admin: AdminClient): Promise<string[]> {
  const topics = await admin.topics(null);
  return topics.map(({ name }) => name ?? '').sort();
}

async function configsOf(
  admin: AdminClient,
  names: readonly string[],
): Promise<Map<string, Configs>> {
  const resources = names.map((resourceName) => ({
    resourceType: TOPIC,
    resourceName,
    configurationKeys: null,
  }));
  const { results } = await admin.any(apis.DescribeConfigs, 4, { resources });
  return new Map(results.map(({ resourceName, configs }) => [resourceName, configs]));
}

export async function describeTopics(
  admin: AdminClient,
  names: readonly string[] | null,
): Promise<string[]> {
  const topics = (await admin.topics(names)).sort((a, b) =>
    (a.name ?? '').localeCompare(b.name ?? ''),
  );
  for (const topic of topics) check(topic.errorCode, `topic ${topic.name}`);
  const configs = await configsOf(
    admin,
    topics.map(({ name }) => name ?? ''),
  );
  return topics.flatMap(({ name, topicId, partitions }) => {
    const set = (configs.get(name ?? '') ?? []).filter(
      ({ configSource }) => configSource === 1 || configSource === 3,
    );
    const shown = set.map((config) => `${config.name}=${config.value}`).join(',');
    const replicas = partitions[0]?.replicaNodes.length ?? 0;
    const head = `Topic: ${name}\tTopicId: ${topicId}\tPartitionCount: ${partitions.length}\tReplicationFactor: ${replicas}\tConfigs: ${shown}`;
    const lines = [...partitions]
      .sort((a, b) => a.partitionIndex - b.partitionIndex)
      .map(
        (p) =>
          `\tTopic: ${name}\tPartition: ${p.partitionIndex}\tLeader: ${p.leaderId < 0 ? 'none' : p.leaderId}\tReplicas: ${p.replicaNodes.join(',')}\tIsr: ${p.isrNodes.join(',')}`,
      );
    return [head, ...lines];
  });
}

export async function growTopic(admin: AdminClient, name: string, count: number): Promise<void> {
  const { results } = await admin.any(apis.CreatePartitions, 3, {
    topics: [{ name, count, assignments: null }],
    timeoutMs: TIMEOUT_MS,
  });
  check(results[0]?.errorCode ?? -1, results[0]?.errorMessage);
}

export async function deleteTopic(
  admin: AdminClient,
  name: string,
  ifExists: boolean,
): Promise<void> {
  const { responses } = await admin.any(apis.DeleteTopics, 5, {
    topicNames: [name],
    timeoutMs: TIMEOUT_MS,
  });
  const code = responses[0]?.errorCode ?? -1;
  if (!(code === 3 && ifExists)) check(code, responses[0]?.errorMessage);
}

const CLUSTER = 4;

export async function describeConfig(
  admin: AdminClient,
  type: 'topics' | 'brokers',
  name: string,
  all: boolean,
): Promise<string[]> {
  const resource = {
    resourceType: type === 'topics' ? TOPIC : CLUSTER,
    resourceName: name,
    configurationKeys: null,
  };
  const ask = { resources: [resource], includeSynonyms: true };
  const { results } =
    type === 'brokers' && name !== ''
      ? await admin.broker(Number(name), apis.DescribeConfigs, 4, ask)
      : await admin.any(apis.DescribeConfigs, 4, ask);
  check(results[0]?.errorCode ?? -1, results[0]?.errorMessage);
  const own = type === 'topics' ? [1] : [2, 3, 4];
  return (results[0]?.configs ?? [])
    .filter(({ configSource }) => all || own.includes(configSource))
    .map(
      (c) =>
        `  ${c.name}=${c.value} sensitive=${c.isSensitive} synonyms={${c.synonyms.map((s) => `${s.name}=${s.value}`).join(', ')}}`,
    );
}

export async function alterConfig(
  admin: AdminClient,
  of: {
    type: 'topics' | 'brokers';
    name: string;
    set: readonly { name: string; value: string }[];
    remove: readonly string[];
  },
): Promise<void> {
  const configs = [
    ...of.set.map((one) => ({ ...one, configOperation: 0 })),
    ...of.remove.map((name) => ({ name, configOperation: 1, value: null })),
  ];
  const resources = [
    { resourceType: of.type === 'topics' ? TOPIC : CLUSTER, resourceName: of.name, configs },
  ];
  const { responses } = await admin.any(apis.IncrementalAlterConfigs, 1, { resources });
  check(responses[0]?.errorCode ?? -1, responses[0]?.errorMessage);
}
