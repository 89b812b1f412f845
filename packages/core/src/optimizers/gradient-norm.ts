import { ConfigError } from "../errors.ts";
import type { Gradients } from "../tape.ts";
import { elements, type Tensor } from "../tensor.ts";
import { steppedParameters } from "./stepped-parameters.ts";

/**
 * An upper bound of the Euclidean norm of a leaf's gradient, without computing it where it is pending: the norm of a product
 * is at most the product of the norms. NaN or infinite when a factor is.
 */
export function gradientNormBound(gradients: Gradients, leaf: Tensor): number {
  const product = gradients.pending(leaf);
  if (product === undefined) return gradientNorm(gradients, leaf);
  const { kernels } = leaf.backend;
  // Each kernel position of a convolution reads every x at most once, so its part is bounded by |dy| |x|.
  const positions = product.kind === "conv2d" ? elements(leaf.shape.slice(1, -1)) : 1;
  return Math.sqrt(kernels.sumSquares(product.dy.data) * kernels.sumSquares(product.x.data) * positions);
}

/** The Euclidean norm of a leaf's gradient, 0 when the loss does not depend on it. */
export function gradientNorm(gradients: Gradients, leaf: Tensor): number {
  const gradient = gradients.get(leaf);
  return gradient === undefined ? 0 : norm(gradient);
}

/** The Euclidean norm of a tensor. */
export function norm(of: Tensor): number {
  return Math.sqrt(of.backend.kernels.sumSquares(of.data));
}

/**
 * Scales all gradients by `maxNorm / (norm + 1e-6)` when their common norm is above `maxNorm`, as PyTorch's
 * `clip_grad_norm_`. When the bounds of the norms show that it is not, nothing is computed or changed, and pending
 * gradients stay pending.
 *
 * @param maxNorm - above 0; Infinity clips nothing
 * @throws ConfigError (`BAD_VALUE`) for another one; (`SAME_TENSOR`, `DUPLICATE_NAME`) as in a step
 */
export function clipGlobalNorm(
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
  maxNorm: number,
): void {
  if (typeof maxNorm !== "number" || !(maxNorm > 0))
    throw new ConfigError("BAD_VALUE", `the largest norm must be a number above 0, not ${maxNorm}`);
  const leaves = steppedParameters(parameters, gradients).map(([, leaf]) => leaf);
  const total = (normOf: (leaf: Tensor) => number): number => Math.hypot(...leaves.map(normOf));
  if (total((leaf) => gradientNormBound(gradients, leaf)) <= maxNorm) return;
  const factor = maxNorm / (total((leaf) => gradientNorm(gradients, leaf)) + 1e-6);
  if (!(factor < 1)) return;
  for (const leaf of leaves) {
    const gradient = gradients.get(leaf)!;
    leaf.backend.kernels.scale(gradient.data, factor, gradient.data);
  }
}
