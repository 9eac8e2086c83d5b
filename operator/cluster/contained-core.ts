/** Whether a live object is as it was applied; the API adds defaults, others may add more. Pure. */

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export function isContained(wanted: unknown, live: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(live) &&
      live.length >= wanted.length &&
      wanted.every((item, i) => isContained(item, live[i]))
    );
  if (isTree(wanted)) {
    // An empty object says that nothing is set: the API may leave it out.
    if (!isTree(live)) return Object.keys(wanted).length === 0;
    return Object.entries(wanted).every(([name, value]) => isContained(value, live[name]));
  }
  // An empty text is as good as none, and the API leaves it out.
  return wanted === live || (wanted === '' && live === undefined);
}
