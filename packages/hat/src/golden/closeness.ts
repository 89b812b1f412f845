import { equal, ok } from "node:assert/strict";
import { trace, type Values } from "./official-trace.ts";

// Sums of at most 8 products in another order, none above 10 in size: a few ulp of the largest.
export const sumTolerance = 2e-6;

// cosh, exp and quotients of float32, each within an ulp or two, one after the other.
export const functionTolerance = 5e-6;

// Ours is within 2.5 ulp of the sigmoid; PyTorch's exp, sum and quotient are within 1, 1/2 and 1/2 ulp.
export const gateUlps = 4.5;

// An ulp just below 1.
export const ulp = 2 ** -24;

// Where a gate is denormal it is flushed to zero, and with it a gradient of at most this size.
const flushed = 1e-13;

/** For sums of the size of the largest of `values`. */
export function sumToleranceOf(values: readonly number[]): number {
  return sumTolerance * Math.max(1, ...values.map(Math.abs));
}

/**
 * How far a gradient of an embedding may be from the published one. It is the gate's, da, times `slope`; the published
 * float32 arithmetic takes 1 - a, a multiple of 2^-24, so an ulp of a gate near 1 is a large share of the gradient.
 */
export function embeddingTolerance(q: number, a: number, slope: number): number {
  const share = functionTolerance + (gateUlps * ulp) / Math.max(1 - a, ulp);
  return share * Math.abs(q) + sumTolerance * slope + flushed;
}

/** dq/da of the published arithmetic in exact numbers: of the chain rule, or with the compensation. */
export function slopeOf(e: number, s: number, compensated: boolean): number {
  const x = s * e;
  const derivative = s / (2 * (Math.cosh(Math.min(Math.abs(x), 700)) + 1));
  if (!compensated) return derivative;
  const clamped = Math.max(-50, Math.min(50, x));
  return (derivative * ((trace.options.sMax / s) * (Math.cosh(clamped) + 1))) / (Math.cosh(e) + 1);
}

/** Each value is the expected one within the tolerance at its place. */
export function expectClose(
  what: string,
  actual: ArrayLike<number>,
  expected: readonly number[],
  tolerance: (index: number) => number,
): void {
  equal(actual.length, expected.length, what);
  expected.forEach((value, i) => {
    const off = Math.abs(actual[i]! - value);
    ok(off <= tolerance(i), `${what}[${i}] is ${actual[i]}, not ${value} within ${tolerance(i)}`);
  });
}

/** Gates are within the ulps of two sigmoids. */
export function expectGates(actual: ReadonlyMap<string, ArrayLike<number>>, expected: Values): void {
  for (const [space, a] of Object.entries(expected)) {
    expectClose(space, actual.get(space)!, a, (i) => gateUlps * 2 * ulp * a[i]! + 2 ** -126);
  }
}
