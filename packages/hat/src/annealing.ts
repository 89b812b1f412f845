import { checkNumber, type NumberRange } from "@milliner/core";

/** How the slope s of the gates grows within an epoch. Names as in hat-cl, the maintained library. */
export type Annealing = "linear" | "exponential" | "cosine" | "constant";

/** All annealings, for messages and configuration. */
export const annealings: readonly Annealing[] = ["linear", "exponential", "cosine", "constant"];

/**
 * The slope rises from 1/sMax to sMax, so sMax is 1 at least, and the compensation multiplies by sMax/s, so by as much as the square
 * of sMax: that has to be a float32 too. (The paper finds 25 to 800 good.)
 */
export const sMaxRange: NumberRange = { from: 1, upTo: 2 ** 63 };

/**
 * @throws ConfigError (`BAD_VALUE`) when sMax is not a number from 1 up to 2^63
 */
export function checkSMax(sMax: number): void {
  checkNumber("sMax", sMax, sMaxRange);
}

/**
 * Progress within an epoch, from 0 at the first batch to 1 at the last. With a single batch it is 0, so that the gates are
 * soft and can learn (the paper's formula is 0 / 0 there; the published code takes 0 too).
 *
 * @param batch - position of the batch, 0 up
 * @param batches - batches of the epoch, 1 or more
 */
export function epochProgress(batch: number, batches: number): number {
  return batches > 1 ? batch / (batches - 1) : 0;
}

/**
 * The slope of the gates for one batch. Equation (3):
 *
 *     linear       s = 1/sMax + (sMax - 1/sMax) * progress           the paper's; progress = (b - 1) / (B - 1), b from 1
 *     exponential  s = sMax^((progress - 0.2) / 0.8)                 1 at a fifth of the epoch, sMax at its end
 *     cosine       s = max(1, sMax/2 * (1 + cos(2 pi progress)))     down to 1 at half of the epoch and up again
 *     constant     s = sMax
 *
 * Source: Serrà et al. 2018, section 2.4, (3); the others from hat-cl.
 *
 * @param progress - 0..1, see `epochProgress`
 * @param sMax - largest slope, see `checkSMax` (paper: 400)
 * @throws ConfigError as `checkSMax`
 */
export function slope(annealing: Annealing, progress: number, sMax: number): number {
  checkSMax(sMax);
  switch (annealing) {
    case "linear":
      return 1 / sMax + (sMax - 1 / sMax) * progress;
    case "exponential":
      return sMax ** ((progress - 0.2) / 0.8);
    case "cosine":
      return Math.max(1, (sMax / 2) * (1 + Math.cos(2 * Math.PI * progress)));
    case "constant":
      return sMax;
    default:
      return annealing satisfies never;
  }
}
