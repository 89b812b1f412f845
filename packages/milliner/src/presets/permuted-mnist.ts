import type { Settings } from "../settings/settings.ts";
import { splitMnist } from "./split-mnist.ts";

/**
 * MNIST through 10 permutations of its pixels, on 2 x 1000 units.
 *
 * The published schedule has hundreds of epochs. Sparsity needs steps: with this short one c is larger, as
 * `compressibilityFor` of `@milliner/hat` says, or the first tasks would use up all units.
 */
export const permutedMnist: Settings = {
  ...splitMnist,
  scenario: "permuted",
  tasks: 10,
  width: 1000,
  epochs: 5,
  patience: 1,
  c: 4.8,
};
