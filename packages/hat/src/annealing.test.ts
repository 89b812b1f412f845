import { expect, test } from "vitest";
import { ConfigError } from "@milliner/core";
import { annealings, epochProgress, slope } from "./annealing.ts";

test("equation (3): the slope goes from 1/sMax at the first batch to sMax at the last", () => {
  const batches = 938;

  const slopes = Array.from({ length: batches }, (_, b) => slope("linear", epochProgress(b, batches), 400));

  expect(slopes[0]).toBe(1 / 400);
  expect(slopes.at(-1)).toBeCloseTo(400, 10);
  const step = (400 - 1 / 400) / (batches - 1);
  for (let b = 1; b < batches; b++) expect(slopes[b]! - slopes[b - 1]!).toBeCloseTo(step, 9);
});

test("a single batch has soft gates, not 0/0", () => {
  expect(slope("linear", epochProgress(0, 1), 400)).toBe(1 / 400);
});

test("the slope is positive and at most sMax under every annealing", () => {
  for (const annealing of annealings) {
    for (let b = 0; b < 50; b++) {
      const s = slope(annealing, epochProgress(b, 50), 100);
      expect(s).toBeGreaterThan(0);
      expect(s).toBeLessThanOrEqual(100 * (1 + 1e-12));
    }
  }
});

test("the annealings of hat-cl have their stated values", () => {
  expect(slope("exponential", 0.2, 100)).toBeCloseTo(1, 12);
  expect(slope("exponential", 1, 100)).toBeCloseTo(100, 10);
  expect(slope("cosine", 0.5, 100)).toBe(1);
  expect(slope("cosine", 0, 100)).toBe(100);
  expect(slope("constant", 0.3, 100)).toBe(100);
});

test("an sMax that is not positive is refused", () => {
  for (const sMax of [0, -1, NaN, Infinity]) expect(() => slope("linear", 0, sMax)).toThrow(ConfigError);
});
