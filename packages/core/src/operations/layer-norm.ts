import { ShapeError } from "../errors.ts";
import { checkKeys } from "../option-keys.ts";
import type { Tape } from "../tape.ts";
import { elements, sameShape, type Tensor } from "../tensor.ts";
import { checkEpsilon, normaliseGroups } from "./normalisation.ts";

/** PyTorch's name and default. */
export interface LayerNormOptions {
  /** Added to the variance, above 0. Default 1e-5. */
  readonly eps?: number | undefined;
}

/**
 * `gamma (x - mean) / sqrt(variance + eps) + beta` with mean and biased variance over the last dimensions: those that gamma
 * and beta have. Source: Ba, Kiros and Hinton 2016.
 *
 * @param x - [..., shape of gamma]
 * @param gamma - any shape that x ends in
 * @param beta - the shape of gamma
 * @returns the shape of x; the caller owns it
 * @throws ShapeError when the shapes do not fit
 * @throws ConfigError when `eps` is not a finite number above 0
 */
export function layerNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  options: LayerNormOptions = {},
  tape?: Tape,
): Tensor {
  checkKeys("layerNorm", options, { eps: true });
  const { eps = 1e-5 } = options;
  const channels = elements(gamma.shape);
  const ending = gamma.shape.length === 0 ? [] : x.shape.slice(-gamma.shape.length);
  if (gamma.shape.length === 0 || channels === 0 || !sameShape(ending, gamma.shape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `layerNorm normalises over the shape of gamma, [${gamma.shape.join(", ")}], but x is [${x.shape.join(", ")}]`,
    );
  }
  if (!sameShape(gamma.shape, beta.shape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `layerNorm: beta has shape [${beta.shape.join(", ")}], expected [${gamma.shape.join(", ")}]`,
    );
  }
  checkEpsilon("layerNorm", eps);
  const geometry = { n: x.data.length / channels, positions: 1, channels, groups: 1 };
  return normaliseGroups("layerNorm", geometry, x, gamma, beta, eps, tape);
}
