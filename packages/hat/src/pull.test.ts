import { expect, test } from "vitest";
import { referenceBackend, tensor, tidy } from "@milliner/core";
import { epochProgress, slope } from "./annealing.ts";
import { gateGradient } from "./compensation.ts";
import { compressibilityFor, pullDistance } from "./pull.ts";

const backend = referenceBackend;

// The regulariser alone on one unit, step by step: how many epochs until its embedding is at 0 or below.
function simulatedEpochs(start: number, lr: number, c: number, units: number, batches: number): number {
  let e = start;
  for (let epoch = 1; ; epoch++) {
    for (let b = 0; b < batches; b++) {
      const s = slope("linear", epochProgress(b, batches), 400);
      e -=
        lr *
        tidy(() =>
          gateGradient(tensor([c / units], [1], { backend }), tensor([e], [1], { backend }), s, 400).item(),
        );
    }
    if (e <= 0) return epoch;
  }
}

test("equation (G): the integral predicts when the regulariser alone switches a unit off", () => {
  const [lr, c, units, batches] = [0.05, 3, 500, 200];

  const predicted = (pullDistance(0.5) * units) / (lr * c * batches * 24 * Math.LN2);

  expect(Math.abs(simulatedEpochs(0.5, lr, c, units, batches) - predicted)).toBeLessThanOrEqual(1.5);
});

test("the integrals are those of the closed forms at the listed points", () => {
  for (const [from, value] of [
    [0.5, 0.52],
    [0.75, 1.21],
    [1, 2.26],
    [1.28, 4.02],
    [1.64, 7.54],
    [2, 13],
  ] as const) {
    expect(pullDistance(from)).toBeCloseTo(value, value > 5 ? 0 : 1);
  }
});

test("a first guess of c for 10 % active units in 2 x 2000 units and nine epochs is about 2.3", () => {
  expect(compressibilityFor(0.1, { lr: 0.05, batches: 9 * 938, freeUnits: 4000 })).toBeCloseTo(2.3, 1);
});

test.each([0, -1, 0.7, NaN])("an active share of %f is refused", (share) => {
  expect(() => compressibilityFor(share, { lr: 0.05, batches: 1000, freeUnits: 100 })).toThrow(
    /active share/,
  );
});
