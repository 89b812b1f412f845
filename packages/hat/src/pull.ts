import { checkKeys, checkNumber, ConfigError } from "@milliner/core";

/**
 * What the regulariser alone does to an active unit in an epoch. Equation (G):
 *
 *     de per epoch = - k sigmoid'(e) / e,     k = lr c B (24 ln 2) / D
 *
 * for B batches an epoch and D free units. Within the window of an active unit, s e < 24 ln 2, every batch pulls by
 * lr c sMax sigmoid'(e) / D, and the share of batches inside it is 24 ln 2 / (sMax e): sMax cancels. So sparsity needs
 * steps: what counts is lr c (total batches) / D, and a short schedule needs a larger c.
 */
export interface PullSchedule {
  readonly lr: number;
  /** Batches of all epochs together. */
  readonly batches: number;
  /** Gated units that are free, of all layers. */
  readonly freeUnits: number;
}

const windowEdge = 24 * Math.LN2;

function sigmoidSlope(e: number): number {
  return 1 / (2 * (Math.cosh(e) + 1));
}

/** The integral of e / sigmoid'(e) from 0 to `from` (Simpson's rule): how far an embedding is from 0, in units of k. */
export function pullDistance(from: number): number {
  const steps = 256;
  const width = from / steps;
  let total = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    total += (weight * (i * width)) / sigmoidSlope(i * width);
  }
  return (total * width) / 3;
}

// The value that a standard normal variable exceeds with probability p, by bisection on a numeric integral.
function upperQuantile(p: number): number {
  const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const above = (x: number): number => {
    const steps = 512;
    const width = x / steps;
    let total = 0;
    for (let i = 0; i < steps; i++) total += density((i + 0.5) * width) * width;
    return 0.5 - total;
  };
  let [low, high] = [0, 6];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (above(middle) > p) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * A first guess of c: the one with which the regulariser alone brings embeddings that start from N(0, 1) to an active share
 * of `activeShare` by the end of the schedule. Cross-entropy holds on to what it needs, so more stays active.
 *
 * @param activeShare - share of the units wanted active, above 0 and at most 0.5
 * @throws ConfigError when it is not
 */
export function compressibilityFor(activeShare: number, schedule: PullSchedule): number {
  if (!(activeShare > 0 && activeShare <= 0.5)) {
    throw new ConfigError(
      "BAD_VALUE",
      `the active share must be above 0 and at most 0.5, not ${activeShare}`,
    );
  }
  checkKeys("compressibilityFor", schedule, { lr: true, batches: true, freeUnits: true });
  for (const name of ["lr", "batches", "freeUnits"] as const) checkNumber(name, schedule[name], { above: 0 });
  return (
    (pullDistance(upperQuantile(activeShare)) * schedule.freeUnits) /
    (windowEdge * schedule.lr * schedule.batches)
  );
}
