/**
 * Settings of single groups (KIP-1240 and before): what a group says, else what the cluster says for
 * all groups, within what the cluster allows. Pure.
 */
import type { ConfigMapOf } from '../../kube/kafka-objects.ts';
import { type Setting, settingFault } from '../../stdx/settings.ts';
import { brokerSettingsByName } from './broker-settings.ts';

/** With a default for all groups: the same name after `group.` */
const inherited = [
  'consumer.heartbeat.interval.ms',
  'consumer.session.timeout.ms',
  'share.delivery.count.limit',
  'share.heartbeat.interval.ms',
  'share.partition.max.record.locks',
  'share.record.lock.duration.ms',
  'share.session.timeout.ms',
  'streams.acceptable.recovery.lag',
  'streams.heartbeat.interval.ms',
  'streams.initial.rebalance.delay.ms',
  'streams.num.standby.replicas',
  'streams.rack.aware.assignment.tags',
  'streams.session.timeout.ms',
  'streams.task.offset.interval.ms',
];

/** Without one. */
const own: readonly Setting[] = [
  {
    name: 'share.auto.offset.reset',
    type: 'STRING',
    default: 'latest',
    doc: 'Where a share group begins: latest, earliest, or by_duration: and an ISO 8601 duration.',
  },
  {
    name: 'share.isolation.level',
    type: 'STRING',
    default: 'read_uncommitted',
    doc: 'Whether a share group sees records of transactions that were not committed.',
    oneOf: ['read_uncommitted', 'read_committed'],
  },
  {
    name: 'share.renew.acknowledge.enable',
    type: 'BOOLEAN',
    default: 'true',
    doc: 'Whether members of a share group may ask for more time with a record.',
  },
];

export const groupSettings: readonly Setting[] = [
  ...inherited.flatMap((name) => {
    const setting = brokerSettingsByName.get(`group.${name}`);
    return setting === undefined ? [] : [{ ...setting, name }];
  }),
  ...own,
].sort((a, b) => a.name.localeCompare(b.name));

export const groupSettingsByName: ReadonlyMap<string, Setting> = new Map(
  groupSettings.map((s) => [s.name, s]),
);

/** The value in force, and where it comes from. */
export function groupValue(
  name: string,
  group: ConfigMapOf,
  cluster: ConfigMapOf,
): { value: string; origin: 'group' | 'cluster' | 'default' } {
  const said = group[name];
  if (said !== undefined) return { value: String(said), origin: 'group' };
  const forAll = cluster[`group.${name}`];
  if (forAll !== undefined) return { value: String(forAll), origin: 'cluster' };
  return { value: groupSettingsByName.get(name)?.default ?? '', origin: 'default' };
}

/** An ISO 8601 duration of days and less after `by_duration:`; null where it is none. */
export function durationMs(reset: string): number | null {
  const found = /^by_duration:P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(
    reset,
  );
  if (found === null || !/\d/.test(reset)) return null;
  const [days, hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0));
  return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
}

/** `consumer.session.timeout.ms` is bounded by `group.consumer.min.session.timeout.ms` and `…max…`. */
function boundFault(name: string, value: number, cluster: ConfigMapOf): string | null {
  const [kind = '', ...rest] = name.split('.');
  const bound = (side: 'min' | 'max') => {
    const of = name === 'streams.num.standby.replicas' ? 'standby.replicas' : rest.join('.');
    const setting = brokerSettingsByName.get(`group.${kind}.${side}.${of}`);
    return (
      setting && { name: setting.name, value: Number(cluster[setting.name] ?? setting.default) }
    );
  };
  const [min, max] = [bound('min'), bound('max')];
  if (min !== undefined && value < min.value)
    return `${name} must be at least ${min.value}, as ${min.name} says`;
  if (max !== undefined && value > max.value)
    return `${name} must be at most ${max.value}, as ${max.name} says`;
  return null;
}

/** What is wrong with a group setting, as a sentence; null if nothing is. */
export function groupConfigFault(name: string, value: string, cluster: ConfigMapOf): string | null {
  const setting = groupSettingsByName.get(name);
  if (setting === undefined) return `${name} is not a group configuration`;
  if (name === 'share.auto.offset.reset') {
    const isKnown = value === 'latest' || value === 'earliest' || durationMs(value) !== null;
    return isKnown ? null : `${name} must be latest, earliest or by_duration:PnDTnHnMn.nS`;
  }
  return settingFault(setting, value) ?? boundFault(name, Number(value), cluster);
}
