/**
 * RFC 6902, within bounds: what an operation costs is known before it is done, and all that a patch may cost
 * is so much. Pure.
 */
import { ApiError, badRequest } from './api-error.ts';
import { faultOf, isTree, own, type Tree } from './tree.ts';

/** As a real API server has both. */
const OPERATIONS_MAX = 10_000;
const COPIED_BYTES_MAX = 3 * 1024 * 1024;
/** Elements of lists that make room for others, or close up. */
const SHIFTED_MAX = 10_000_000;

/** What a value needs at least; it is not looked at further once it is more than `most`. */
function bytesOf(root: unknown, most: number): number {
  let sum = 0;
  const waiting: unknown[] = [root];
  while (waiting.length > 0 && sum <= most) {
    const value = waiting.pop();
    sum += typeof value === 'string' ? value.length + 8 : 8;
    if (value === null || typeof value !== 'object') continue;
    for (const [name, child] of Object.entries(value)) {
      sum += name.length;
      if (sum > most) break;
      waiting.push(child);
    }
  }
  return sum;
}

/** Costs no more than the smaller of the two, which is what the patch says. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(b);
  if (names.length !== Object.keys(a).length) return false;
  return names.every((name) => Object.hasOwn(a, name) && isSame(own(a, name), own(b, name)));
}

function namesOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/')))
    throw badRequest('a path must be a JSON pointer');
  const names = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (names.includes('__proto__')) throw badRequest('a field must not be called "__proto__"');
  return names;
}

class Patched {
  /** The object is a field of it, so that the empty path is one like any other. */
  private readonly root: { root: unknown };
  private copiedByteCount = 0;
  private shiftedCount = 0;

  constructor(target: unknown) {
    this.root = { root: structuredClone(target) };
  }

  get result(): unknown {
    return this.root.root;
  }

  private containerOf(names: readonly string[]): { container: Tree; name: string } {
    const all = ['root', ...names];
    let container: unknown = this.root;
    for (const name of all.slice(0, -1)) container = own(container, name);
    if (container === null || typeof container !== 'object')
      throw badRequest(`the path /${names.join('/')} must exist`);
    return { container, name: all.at(-1) as string };
  }

  private index(list: readonly unknown[], name: string, end: number): number {
    const index = name === '-' ? list.length : /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1;
    if (index < 0 || index > end) throw badRequest(`${name} must be an index of the list`);
    this.shiftedCount += list.length - index;
    if (this.shiftedCount > SHIFTED_MAX) throw tooMuch('it moves too many elements of lists about');
    return index;
  }

  get(pointer: unknown): unknown {
    const { container, name } = this.containerOf(namesOf(pointer));
    const value = own(container, name);
    if (value === undefined || (Array.isArray(container) && name === 'length'))
      throw badRequest(`${String(pointer)} must exist`);
    return value;
  }

  copyOf(pointer: unknown): unknown {
    const value = this.get(pointer);
    this.copiedByteCount += bytesOf(value, COPIED_BYTES_MAX - this.copiedByteCount);
    if (this.copiedByteCount > COPIED_BYTES_MAX) throw tooMuch('it copies too much');
    return structuredClone(value);
  }

  add(pointer: unknown, value: unknown): void {
    if (value === undefined) throw badRequest('a value is required');
    const { container, name } = this.containerOf(namesOf(pointer));
    if (Array.isArray(container))
      container.splice(this.index(container, name, container.length), 0, value);
    else container[name] = value;
  }

  replace(pointer: unknown, value: unknown): void {
    if (value === undefined) throw badRequest('a value is required');
    this.get(pointer);
    const { container, name } = this.containerOf(namesOf(pointer));
    container[name] = value;
  }

  remove(pointer: unknown): unknown {
    const value = this.get(pointer);
    const names = namesOf(pointer);
    if (names.length === 0) throw badRequest('the whole object must not be removed');
    const { container, name } = this.containerOf(names);
    if (Array.isArray(container))
      container.splice(this.index(container, name, container.length - 1), 1);
    else delete container[name];
    return value;
  }

  move(from: unknown, to: unknown): void {
    const [source, target] = [namesOf(from), namesOf(to)];
    if (source.length < target.length && source.every((name, i) => name === target[i]))
      throw badRequest('a value must not be moved into itself');
    this.add(to, this.remove(from));
  }
}

const tooMuch = (why: string) =>
  new ApiError(413, 'RequestEntityTooLarge', `the JSON patch is too large: ${why}`);

/** @throws ApiError where an operation cannot be done, or they cost too much. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch must be a list of operations');
  if (operations.length > OPERATIONS_MAX)
    throw tooMuch(`it has ${operations.length} operations, ${OPERATIONS_MAX} are allowed`);
  const patched = new Patched(target);
  for (const operation of operations) {
    if (!isTree(operation)) throw badRequest('an operation of a JSON patch must be an object');
    const { op, path, from, value } = operation;
    if (op === 'add') patched.add(path, value);
    else if (op === 'remove') patched.remove(path);
    else if (op === 'replace') patched.replace(path, value);
    else if (op === 'move') patched.move(from, path);
    else if (op === 'copy') patched.add(path, patched.copyOf(from));
    else if (op === 'test') {
      if (!isSame(patched.get(path), value))
        throw new ApiError(422, 'Invalid', `the test of ${path} failed`);
    } else throw badRequest(`operation ${JSON.stringify(op)} is unknown`);
  }
  const fault = faultOf(patched.result);
  if (fault !== null) throw badRequest(`the patched object ${fault}`);
  return patched.result;
}
