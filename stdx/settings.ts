/** Settings as rows: name, type, default, check and one sentence of documentation. Pure. */

export type SettingType = 'BOOLEAN' | 'STRING' | 'INT' | 'LONG' | 'DOUBLE' | 'LIST';

export interface Setting {
  readonly name: string;
  readonly type: SettingType;
  /** As text, the way it is configured. */
  readonly default: string;
  readonly doc: string;
  readonly min?: number;
  readonly max?: number;
  /** The only values allowed; for lists, of each element. */
  readonly oneOf?: readonly string[];
  /** Whether only who has the objects may change it, and no client. */
  readonly readOnly?: boolean;
}

/** What is wrong with a value, as a sentence that says what must hold; null if nothing is. */
export function settingFault(setting: Setting, value: string): string | null {
  const { name, type, min, max, oneOf } = setting;
  if (type === 'BOOLEAN')
    return /^(true|false)$/i.test(value) ? null : `${name} must be true or false`;
  if (type === 'STRING')
    return oneOf === undefined || oneOf.includes(value)
      ? null
      : `${name} must be one of ${oneOf.join(', ')}`;
  if (type === 'LIST') {
    const bad =
      value === '' || oneOf === undefined
        ? undefined
        : value.split(',').find((item) => !oneOf.includes(item.trim()));
    return bad === undefined ? null : `${name} must only list ${(oneOf ?? []).join(', ')}`;
  }
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) return `${name} must be a number`;
  if (type !== 'DOUBLE' && !Number.isInteger(number)) return `${name} must be a whole number`;
  const top = max ?? (type === 'INT' ? 0x7fff_ffff : Infinity);
  if (number < (min ?? -Infinity) || number > top) {
    return `${name} must be ${min === undefined ? '' : `at least ${min}`}${min !== undefined && Number.isFinite(top) ? ' and ' : ''}${Number.isFinite(top) ? `at most ${top}` : ''}`;
  }
  return null;
}
