/** Bugs planted on purpose, so that no product code knows of them. */

// What is replaced is reached by name: its types are of no use here.
type Method = (...args: any[]) => any;

/** Replaces a method until disposed; the original comes as the first argument. */
export function replace(
  of: { prototype: object },
  name: string,
  method: (original: Method, self: any, args: any[]) => unknown,
): Disposable {
  const methods = of.prototype as Record<string, Method>;
  const original = methods[name];
  if (original === undefined) throw new Error(`there is no method ${name} to replace`);
  methods[name] = function (this: unknown, ...args: unknown[]) {
    return method(original.bind(this), this, args);
  };
  return {
    [Symbol.dispose]() {
      methods[name] = original;
    },
  };
}
