/** Changing the configuration of a topic or of the cluster; shared by the two APIs that do. */

import type { ConfigMapOf } from '../../kube/kafka-objects.ts';
import { KafkaError } from '../../proto/kafka/errors.ts';
import { brokerSettingsByName } from '../config/broker-settings.ts';
import { brokerConfigFault, topicConfigFault } from '../config/faults.ts';
import { groupConfigFault, groupSettingsByName } from '../config/group-settings.ts';
import { topicSettingsByName } from '../config/topic-settings.ts';
import type { ConfigChanges } from '../metadata/topic-admin.ts';
import type { Ports } from './ports.ts';
import { BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE } from './topic-config-answers.ts';

export const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

/** Of one request; the others wait for them. */
export const RESOURCES_AT_ONCE = 100;

export interface ConfigOperation {
  readonly name: string;
  readonly operation: number;
  readonly value: string | null;
}

export interface ConfigTarget {
  readonly current: ConfigMapOf;
  readonly apply: (changes: ConfigChanges) => Promise<void>;
  readonly fault: (name: string, value: string) => string | null;
  readonly isList: (name: string) => boolean;
  readonly isReadOnly: (name: string) => boolean;
  readonly presetOf: (name: string) => string;
}

/** What a resource of a request stands for. @throws KafkaError */
export function configTarget(
  ports: Ports,
  resourceType: number,
  resourceName: string,
): ConfigTarget {
  const { image, admin } = ports;
  if (resourceType === TOPIC_RESOURCE) {
    const topic = image.topicObjectNamed(resourceName);
    if (topic === null)
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${resourceName} is unknown`);
    return {
      current: topic.spec.config ?? {},
      apply: (changes) => admin.changeTopicConfig(topic, changes),
      fault: topicConfigFault,
      isList: (name) => topicSettingsByName.get(name)?.type === 'LIST',
      isReadOnly: () => false,
      presetOf: (name) => topicSettingsByName.get(name)?.default ?? '',
    };
  }
  if (resourceType === BROKER_RESOURCE) {
    const id = Number(resourceName);
    if (resourceName !== '' && image.broker(id) === null)
      throw new KafkaError('INVALID_REQUEST', `broker ${resourceName} is not registered`);
    return {
      current: resourceName === '' ? image.clusterConfig : (image.brokerConfig[resourceName] ?? {}),
      apply: (changes) =>
        resourceName === ''
          ? admin.changeClusterConfig(changes)
          : admin.changeBrokerConfig(id, changes),
      fault: brokerConfigFault,
      isList: (name) => brokerSettingsByName.get(name)?.type === 'LIST',
      isReadOnly: (name) => brokerSettingsByName.get(name)?.readOnly === true,
      presetOf: (name) => brokerSettingsByName.get(name)?.default ?? '',
    };
  }
  if (resourceType === GROUP_RESOURCE) {
    if (resourceName === '')
      throw new KafkaError('INVALID_REQUEST', 'the configuration of a group needs its name');
    return {
      current: image.groupConfig[resourceName] ?? {},
      apply: (changes) => admin.changeGroupConfig(resourceName, changes),
      fault: (name, value) => groupConfigFault(name, value, image.clusterConfig),
      isList: (name) => groupSettingsByName.get(name)?.type === 'LIST',
      isReadOnly: () => false,
      presetOf: (name) => groupSettingsByName.get(name)?.default ?? '',
    };
  }
  throw new KafkaError(
    'INVALID_REQUEST',
    `resources of type ${resourceType} cannot be altered in this version`,
  );
}

/** Operations turned into a change of the map. @throws KafkaError */
export function changesOf(
  target: ConfigTarget,
  operations: readonly ConfigOperation[],
): ConfigChanges {
  const names = new Set(operations.map(({ name }) => name));
  if (names.size !== operations.length)
    throw new KafkaError('INVALID_REQUEST', 'a configuration must be named once');
  const changes: Record<string, string | null> = {};
  for (const { name, operation, value } of operations) {
    if (target.isReadOnly(name))
      throw new KafkaError('INVALID_REQUEST', `${name} cannot be changed by clients`);
    if (operation === OPERATION.delete) {
      changes[name] = null;
      continue;
    }
    if (value === null) throw new KafkaError('INVALID_REQUEST', `${name} must have a value`);
    const next = operation === OPERATION.set ? value : combined(target, name, operation, value);
    const fault = target.fault(name, next);
    if (fault !== null) throw new KafkaError('INVALID_CONFIG', fault);
    changes[name] = next;
  }
  return changes;
}

function combined(target: ConfigTarget, name: string, operation: number, value: string): string {
  if (operation !== OPERATION.append && operation !== OPERATION.subtract) {
    throw new KafkaError('INVALID_REQUEST', `operation ${operation} is unknown`);
  }
  if (!target.isList(name))
    throw new KafkaError('INVALID_CONFIG', `${name} must be a list to append to or subtract from`);
  const current = String(target.current[name] ?? target.presetOf(name));
  const items = current.split(',').filter((item) => item !== '');
  const given = new Set(value.split(','));
  const kept = items.filter((item) => !given.has(item));
  return (operation === OPERATION.append ? [...kept, ...given] : kept).join(',');
}
