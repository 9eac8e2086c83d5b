/** Kubernetes' quantities, such as 10Gi or 250m, as numbers. Pure. */

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** @throws SyntaxError where the text is no quantity. */
export function parseQuantity(text: string): number {
  const [, number, exponent, suffix] =
    /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]i?|Ki))?$/.exec(text) ?? [];
  const factor = FACTORS[suffix ?? ''];
  if (number === undefined || factor === undefined)
    throw new SyntaxError(`a quantity must read like 10Gi or 250m, not "${text}"`);
  return Number(number + (exponent ?? '')) * factor;
}
