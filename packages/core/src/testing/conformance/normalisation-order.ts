import { fma32 } from "../fma.ts";

// The orders of summation of batch_norm.h and group_norm.h, one number at a time in float32.

const f = Math.fround;
const chunk = 64;

/** Mean of a channel, and the sum of the squared distances from it. */
export function channelStatistics(values: readonly number[]): {
  readonly mean: number;
  readonly squares: number;
} {
  let [mean, squares] = [0, 0];
  for (let before = 0; before < values.length; before += chunk) {
    const part = values.slice(before, before + chunk);
    const m = f(part.reduce((sum, v) => f(sum + v), 0) / part.length);
    const q = part.reduce((sum, v) => {
      const distance = f(v - m);
      return fma32(distance, distance, sum);
    }, 0);
    if (before === 0) {
      [mean, squares] = [m, q];
      continue;
    }
    const all = before + part.length;
    const distance = f(m - mean);
    mean = fma32(distance, f(part.length / all), mean);
    squares = f(squares + fma32(f(distance * distance), f((before * part.length) / all), q));
  }
  return { mean, squares };
}

/** Sums of g and of g * distance over a channel: chunks of 64, added ascending. */
export function gradientSums(
  g: readonly number[],
  distances: readonly number[],
): { readonly product: number; readonly sum: number } {
  let [product, sum] = [0, 0];
  for (let from = 0; from < g.length; from += chunk) {
    let [partProduct, partSum] = [0, 0];
    for (let i = from; i < Math.min(from + chunk, g.length); i++) {
      partProduct = fma32(g[i]!, distances[i]!, partProduct);
      partSum = f(partSum + g[i]!);
    }
    product = from === 0 ? partProduct : f(product + partProduct);
    sum = from === 0 ? partSum : f(sum + partSum);
  }
  return { product, sum };
}

/** 16 virtual lanes over a group's channels, lane j those that are j modulo 16, combined by halves. */
export function groupSum(channels: number, add: (lane: number, channel: number) => number): number {
  const lanes = Array.from({ length: 16 }, () => 0);
  for (let channel = 0; channel < channels; channel++)
    lanes[channel % 16] = add(lanes[channel % 16]!, channel);
  for (let half = 8; half >= 1; half /= 2) {
    for (let i = 0; i < half; i++) lanes[i] = f(lanes[i]! + lanes[i + half]!);
  }
  return lanes[0]!;
}
