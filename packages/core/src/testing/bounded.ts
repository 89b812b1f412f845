import type { Precision } from "../backend/backend.ts";
import { fma32 } from "./fma.ts";

/** Half an ulp of a float32 in [1, 2): the largest relative error of one rounding. */
export const rounding: number = 2 ** -24;

/** What a kernel should have written: the real number, how far a backend may be from it, and what an exact one has. */
export interface Expected {
  readonly value: number;
  readonly error: number;
  /** The float32 of the single-chain rule. */
  readonly exact: number;
}

/** A float32 that was read, not computed. */
export function given(value: number): Expected {
  return { value, error: 0, exact: value };
}

/** +0, whatever was there. */
export const zero: Expected = given(0);

/**
 * The sum of `terms` (pairs of factors), as one chain of fused multiply-adds from +0, then +0. A chain of n has n roundings,
 * each at most 2^-24 of a partial sum, so the bound is (n + 1) 2^-24 sum |terms|; the 1 pays for the roundings of roundings.
 */
export function chain(terms: readonly (readonly [number, number])[]): Expected {
  let [value, magnitude, exact] = [0, 0, 0];
  for (const [a, b] of terms) {
    value += a * b;
    magnitude += Math.abs(a * b);
    exact = fma32(a, b, exact);
  }
  return { value, error: (terms.length + 1) * rounding * magnitude, exact: exact + 0 };
}

// Rows of a block of `rowSum`.
const blockRows = 4096;

/**
 * A sum over the rows of a matrix, as of a bias's gradient: blocks of 4096 rows, each a chain, whose sums are added ascending
 * from +0. A million terms have 4096 + 245 roundings, where one chain had a million.
 */
export function rowSum(terms: readonly (readonly [number, number])[]): Expected {
  let [value, magnitude, exact] = [0, 0, 0];
  for (let from = 0; from < terms.length; from += blockRows) {
    let block = 0;
    for (const [a, b] of terms.slice(from, from + blockRows)) {
      value += a * b;
      magnitude += Math.abs(a * b);
      block = fma32(a, b, block);
    }
    exact = Math.fround(exact + block);
  }
  const roundings = Math.min(terms.length, blockRows) + Math.ceil(terms.length / blockRows) + 1;
  return { value, error: roundings * rounding * magnitude, exact: exact + 0 };
}

/**
 * A product's sum of `terms` on a backend of this precision: `chain`, or in bf16 two factors rounded to 8 bits (2^-8 each)
 * and sums of 32 terms: a chain of 16, the two chains, and one addition for every 32.
 */
export function product(precision: Precision, terms: readonly (readonly [number, number])[]): Expected {
  const expected = chain(terms);
  if (precision === "float32") return expected;
  const magnitude = terms.reduce((sum, [a, b]) => sum + Math.abs(a * b), 0);
  const sums = terms.length / 32 + 18;
  return { ...expected, error: (2 ** -7 + 2 ** -16 + sums * 2 * rounding) * magnitude };
}

/** `a + b` with one rounding. */
export function plus(a: Expected, b: number): Expected {
  const value = a.value + b;
  return { value, error: a.error + rounding * (Math.abs(value) + a.error), exact: Math.fround(a.exact + b) };
}

/** `a * b` with one rounding. */
export function times(a: Expected, b: number): Expected {
  const value = a.value * b;
  const error = a.error * Math.abs(b);
  return { value, error: error + rounding * (Math.abs(value) + error), exact: Math.fround(a.exact * b) };
}

/** `max(a, +0)`. */
export function positive(a: Expected): Expected {
  return { value: Math.max(a.value, 0), error: a.error, exact: a.exact > 0 ? a.exact : 0 };
}

/** `fma(factor, a, c)`. */
export function fused(factor: number, a: Expected, c: number): Expected {
  const value = factor * a.value + c;
  const error = Math.abs(factor) * a.error;
  return { value, error: error + rounding * (Math.abs(value) + error), exact: fma32(factor, a.exact, c) };
}

/** `a` behind a gate: a gate of 0 selects +0 and does not multiply. */
export function behindGate(a: Expected, gate: number): Expected {
  return gate === 0 ? zero : times(a, gate);
}
