/** How configuration is shown to clients: sources, synonyms, types. Source: KIP-226, KIP-569. */

import type { ConfigMapOf } from '../../kube/kafka-objects.ts';
import type { Setting, SettingType } from '../../stdx/settings.ts';
import { brokerSettings } from '../config/broker-settings.ts';
import { topicValue } from '../config/config.ts';
import { groupSettings, groupValue } from '../config/group-settings.ts';
import { type TopicSetting, topicSettings } from '../config/topic-settings.ts';

export const TOPIC_RESOURCE = 2;
export const BROKER_RESOURCE = 4;

/** DescribeConfigs' sources. */
export const GROUP_RESOURCE = 32;

const SOURCE = { topic: 1, broker: 2, cluster: 3, default: 5, group: 8 } as const;
const TYPE: Readonly<Record<SettingType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
};

interface Shown {
  readonly synonyms: boolean;
  readonly documentation: boolean;
}

function topicEntry(setting: TopicSetting, topic: ConfigMapOf, cluster: ConfigMapOf, shown: Shown) {
  const effective = topicValue(setting.name, topic, cluster);
  const synonyms = [];
  const own = topic[setting.name];
  if (own !== undefined)
    synonyms.push({ name: setting.name, value: String(own), source: SOURCE.topic });
  const inherited = topicValue(setting.name, {}, cluster);
  const [brokerName] = setting.synonyms;
  if (inherited.origin === 'cluster')
    synonyms.push({ name: inherited.name, value: inherited.value, source: SOURCE.cluster });
  // Where the default has several names, Kafka names none of them.
  if (brokerName !== undefined && setting.synonyms.length === 1)
    synonyms.push({ name: brokerName, value: setting.default, source: SOURCE.default });
  return {
    name: setting.name,
    value: effective.value,
    readOnly: false,
    configSource: SOURCE[effective.origin],
    isSensitive: false,
    synonyms: shown.synonyms ? synonyms : [],
    configType: TYPE[setting.type],
    documentation: shown.documentation ? setting.doc : null,
  };
}

function brokerEntry(setting: Setting, cluster: ConfigMapOf, broker: ConfigMapOf, shown: Shown) {
  const { name } = setting;
  const synonyms = [];
  for (const [map, source] of [
    [broker, SOURCE.broker],
    [cluster, SOURCE.cluster],
  ] as const) {
    const value = map[name];
    if (value !== undefined) synonyms.push({ name, value: String(value), source });
  }
  synonyms.push({ name, value: setting.default, source: SOURCE.default });
  const [first] = synonyms;
  return {
    name,
    value: first?.value ?? setting.default,
    readOnly: setting.readOnly === true,
    configSource: first?.source ?? SOURCE.default,
    isSensitive: false,
    synonyms: shown.synonyms ? synonyms : [],
    configType: TYPE[setting.type],
    documentation: shown.documentation ? setting.doc : null,
  };
}

type Keys = ReadonlySet<string> | null;

/** What topics have configured, as one request shows it: what they inherit is made once for all of them. */
export function topicConfigView(cluster: ConfigMapOf, shown: Shown) {
  const entries = topicSettings.map((setting) => ({
    setting,
    inherited: topicEntry(setting, {}, cluster, shown),
  }));
  return (topic: ConfigMapOf, keys: Keys) =>
    entries
      .filter(({ setting }) => keys === null || keys.has(setting.name))
      .map(({ inherited, setting }) =>
        topic[setting.name] === undefined ? inherited : topicEntry(setting, topic, cluster, shown),
      );
}
export type TopicConfigView = ReturnType<typeof topicConfigView>;

export function describeBrokerConfig(
  cluster: ConfigMapOf,
  broker: ConfigMapOf,
  keys: Keys,
  shown: Shown,
  self: number,
) {
  const id: Setting = {
    name: 'node.id',
    type: 'INT',
    default: String(self),
    doc: 'The id of this broker: the ordinal of its pod.',
  };
  const own = { ...brokerEntry(id, {}, {}, shown), readOnly: true };
  const all = [
    own,
    { ...own, name: 'broker.id' },
    ...brokerSettings.map((setting) => brokerEntry(setting, cluster, broker, shown)),
  ];
  return all.filter(({ name }) => keys === null || keys.has(name));
}

export function describeGroupConfig(group: ConfigMapOf, cluster: ConfigMapOf, keys: Keys) {
  return groupSettings
    .filter(({ name }) => keys === null || keys.has(name))
    .map(({ name, type, doc }) => {
      const { origin, value } = groupValue(name, group, cluster);
      return {
        name,
        value,
        readOnly: false,
        configSource: SOURCE[origin],
        isSensitive: false,
        synonyms: [],
        configType: TYPE[type],
        documentation: doc,
      };
    });
}
