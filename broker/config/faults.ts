/** What is wrong with the configuration that objects carry, in sentences. */
import type { ConfigMapOf, KafkaTopic } from '../../kube/kafka-objects.ts';
import { settingFault } from '../../stdx/settings.ts';
import { brokerSettingsByName } from './broker-settings.ts';
import { INTERNAL_SEGMENT_BYTES } from './config.ts';
import { parseOverrides } from './connection-overrides.ts';
import { groupConfigFault } from './group-settings.ts';
import { topicSettingsByName } from './topic-settings.ts';

/** Clients may give it too: smaller segments would fill a disk with files. */
const INTERNAL_SEGMENT = {
  name: INTERNAL_SEGMENT_BYTES,
  type: 'INT',
  default: '',
  doc: '',
  min: 1024,
} as const;

/** What is wrong with a topic setting; null if nothing is. */
export function topicConfigFault(name: string, value: string): string | null {
  const setting =
    name === INTERNAL_SEGMENT_BYTES ? INTERNAL_SEGMENT : topicSettingsByName.get(name);
  return setting === undefined
    ? `${name} is not a topic configuration`
    : settingFault(setting, value);
}

const OVERRIDES = 'max.connections.per.ip.overrides';

/** What Kafka reads from a file at start: addresses, identity, security. */
const FIXED =
  /^(advertised|authorizer|broker\.id|delegation|inter\.broker|listener|log\.dirs?$|node\.id|principal|process|sasl|security|ssl)/;
const FIXED_WHY = ': identity, listeners and security are made from the spec of the KafkaCluster';

export function brokerConfigFault(name: string, value: string): string | null {
  const setting = brokerSettingsByName.get(name);
  if (name === OVERRIDES && parseOverrides(value) === null)
    return `${name} must be a list like 10.0.0.1:100,10.0.0.2:200`;
  return setting === undefined
    ? `${name} is not a broker configuration that can be changed${FIXED.test(name) ? FIXED_WHY : ''}`
    : settingFault(setting, value);
}

type Fault = (name: string, value: string) => string | null;

function faultsIn(config: ConfigMapOf | undefined, fault: Fault, where: string): string[] {
  return Object.entries(config ?? {}).flatMap(([name, value]) => {
    const found = fault(name, String(value));
    return found === null ? [] : [`${where}: ${found}`];
  });
}

/** Everything that is wrong with a cluster's configuration, as far as it concerns this broker. */
export function clusterConfigFaults(
  of: {
    readonly clusterConfig: ConfigMapOf;
    readonly brokerConfig: Readonly<Record<string, ConfigMapOf>>;
    readonly groupConfig: Readonly<Record<string, ConfigMapOf>>;
  },
  id: number,
): string[] {
  const groups = Object.entries(of.groupConfig).flatMap(([group, config]) =>
    faultsIn(
      config,
      (name, value) => groupConfigFault(name, value, of.clusterConfig),
      `spec.groupConfig[${group}]`,
    ),
  );
  return [
    ...faultsIn(of.clusterConfig, brokerConfigFault, 'spec.config'),
    ...faultsIn(of.brokerConfig[String(id)], brokerConfigFault, `spec.brokerConfig[${id}]`),
    ...groups,
  ];
}

/** The first thing that is wrong with a KafkaTopic's configuration; null if nothing is. */
export function topicObjectFault({ spec }: KafkaTopic): string | null {
  return faultsIn(spec.config, topicConfigFault, 'spec.config')[0] ?? null;
}
