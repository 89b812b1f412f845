import { ShapeError } from "../errors.ts";
import { checkKeys } from "../option-keys.ts";
import type { Tape } from "../tape.ts";
import { elements, type Tensor } from "../tensor.ts";
import { checkEpsilon, checkPerChannel, normaliseGroups } from "./normalisation.ts";

/** PyTorch's name and default. */
export interface GroupNormOptions {
  /** Added to the variance, above 0. Default 1e-5. */
  readonly eps?: number | undefined;
}

/**
 * `gamma (x - mean) / sqrt(variance + eps) + beta` with mean and biased variance of each example and group of neighbouring
 * channels, over the group's channels and all positions. Source: Wu and He 2018.
 *
 * @param x - [n, ..., channels], for example images [n, height, width, channels]
 * @param groups - how many groups the channels form; divides them
 * @param gamma - [channels]
 * @param beta - [channels]
 * @returns the shape of x; the caller owns it
 * @throws ShapeError when the shapes do not fit or `groups` does not divide the channels
 * @throws ConfigError when `eps` is not a finite number above 0
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  gamma: Tensor,
  beta: Tensor,
  options: GroupNormOptions = {},
  tape?: Tape,
): Tensor {
  checkKeys("groupNorm", options, { eps: true });
  const { eps = 1e-5 } = options;
  const [n = 0, channels = 0] = [x.shape[0], x.shape.at(-1)];
  const positions = elements(x.shape.slice(1, -1));
  if (x.shape.length < 2 || channels === 0 || positions === 0) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `groupNorm takes [n, ..., channels], but got [${x.shape.join(", ")}]`,
    );
  }
  if (!(Number.isInteger(groups) && groups >= 1 && channels % groups === 0)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `groupNorm: ${channels} channels do not form ${groups} groups of one size`,
    );
  }
  checkPerChannel("groupNorm", channels, { gamma, beta });
  checkEpsilon("groupNorm", eps);
  return normaliseGroups("groupNorm", { n, positions, channels, groups }, x, gamma, beta, eps, tape);
}
