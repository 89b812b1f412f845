import { ConfigError, NumericError } from "../errors.ts";
import type { Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import { elements, type Tensor } from "../tensor.ts";

// A product of finite factors overflows float32 only if the product of their norms does (Cauchy-Schwarz), so two cheap
// sums over the factors spare a look at the weight's gradient. The margin covers the rounding of the chain.
const safeBound = 2 ** 127;

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
  return gradient === undefined ? 0 : Math.sqrt(leaf.backend.kernels.sumSquares(gradient.data));
}

/**
 * Refuses a step before anything is written.
 * @throws NumericError when the gradient of one of the parameters has a NaN or an infinity
 */
export function checkFinite(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients): void {
  for (const [name, leaf] of parameters) {
    if (!gradients.has(leaf) || gradientNormBound(gradients, leaf) < safeBound) continue;
    if (!leaf.backend.kernels.allFinite(gradients.get(leaf)!.data)) {
      throw new NumericError(
        "NON_FINITE_GRADIENT",
        `the gradient of "${name}" is not finite; try a smaller learning rate`,
      );
    }
  }
}

/**
 * Scales all gradients by `maxNorm / (norm + 1e-6)` when their common norm is above `maxNorm`, as PyTorch's
 * `clip_grad_norm_`. When the bounds of the norms show that it is not, nothing is computed or changed, and pending
 * gradients stay pending.
 */
export function clipGlobalNorm(
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
  maxNorm: number,
): void {
  const leaves = [...parameters].map(([, leaf]) => leaf).filter((leaf) => gradients.has(leaf));
  const total = (norm: (leaf: Tensor) => number): number => Math.hypot(...leaves.map(norm));
  if (total((leaf) => gradientNormBound(gradients, leaf)) <= maxNorm) return;
  const factor = maxNorm / (total((leaf) => gradientNorm(gradients, leaf)) + 1e-6);
  if (!(factor < 1)) return;
  for (const leaf of leaves) {
    const gradient = gradients.get(leaf)!;
    leaf.backend.kernels.scale(gradient.data, factor, gradient.data);
  }
}

/**
 * Plain stochastic gradient descent, `w = w - lr g`, one fused multiply-add per element. Pending gradients of linear layers
 * are updated inside the product's tiles. Locked elements are not written.
 */
export class Sgd {
  /** Learning rate; may be changed between steps. */
  lr: number;

  /** @throws ConfigError when lr is not a positive finite number */
  constructor(options: { readonly lr: number }) {
    if (!(options.lr > 0 && Number.isFinite(options.lr))) {
      throw new ConfigError("BAD_LR", `the learning rate must be a positive number, not ${options.lr}`);
    }
    this.lr = options.lr;
  }

  /**
   * One step for the given parameters; those that the loss does not depend on stay as they are.
   * @throws NumericError when a gradient is not finite; no parameter has been changed then
   */
  step(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients, locks?: Locks): void {
    const list = [...parameters];
    checkFinite(list, gradients);
    for (const [name, leaf] of list) {
      if (!gradients.has(leaf)) continue;
      const lockBits = locks?.get(name);
      const words = lockBits?.words ?? null;
      const { kernels } = leaf.backend;
      const product = gradients.pending(leaf);
      if (product?.kind === "linear") {
        const [m, k] = leaf.shape as [number, number];
        const n = product.dy.shape[0]!;
        kernels.linearWeightUpdate(
          product.dy.data,
          product.x.data,
          leaf.data,
          this.lr,
          null,
          null,
          words,
          n,
          k,
          m,
        );
        continue;
      }
      const rows = leaf.shape[0] ?? 1;
      const columns = leaf.data.length / rows;
      kernels.sgd(leaf.data, gradients.get(leaf)!.data, this.lr, words, rows, columns);
    }
  }
}
