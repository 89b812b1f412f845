import { ConfigError, NumericError } from "../errors.ts";
import type { Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import { elements, type Tensor } from "../tensor.ts";

// Half the distance from the largest float32 to the next number: a step below it takes no finite weight to infinity. A
// product of finite factors is below it if the product of their norms is (Cauchy-Schwarz), so two cheap sums over the
// factors spare a look at the weight and its gradient. The margin of 2 covers the rounding of the chain.
const safeBound = 2 ** 102;

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
 * Refuses a step before anything is written: an infinity in a weight would outlive every lock, for an unlocked weight may lie
 * between a unit that an old task uses and one that it does not, and 0 * Inf is NaN.
 *
 * @throws NumericError (`NON_FINITE_GRADIENT`, `NON_FINITE_STEP`) when a gradient, or `w - lr g` of an element that is not
 *   locked, is NaN or infinite
 */
export function checkFinite(
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
  lr = 1,
  locks?: Locks,
): void {
  for (const [name, leaf] of parameters) {
    if (!gradients.has(leaf)) continue;
    const bound = gradientNormBound(gradients, leaf);
    if (bound < safeBound && bound * lr < safeBound) continue;
    const { data } = gradients.get(leaf)!;
    if (!leaf.backend.kernels.allFinite(data)) {
      throw new NumericError(
        "NON_FINITE_GRADIENT",
        `the gradient of "${name}" is not finite; try a smaller learning rate`,
      );
    }
    const bits = locks?.get(name);
    const columns = bits?.columns ?? data.length;
    const wrong = data.findIndex(
      (g, i) =>
        !Number.isFinite(Math.fround(leaf.data[i]! - lr * g)) &&
        bits?.isLocked(Math.floor(i / columns), i % columns) !== true,
    );
    if (wrong >= 0) {
      throw new NumericError(
        "NON_FINITE_STEP",
        `a step of ${lr} x ${data[wrong]} takes element ${wrong} of "${name}" beyond float32; try a smaller learning rate`,
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
   * @throws NumericError when a gradient or a stepped parameter is not finite; no parameter has been changed then
   */
  step(parameters: Iterable<readonly [string, Tensor]>, gradients: Gradients, locks?: Locks): void {
    const list = [...parameters];
    checkFinite(list, gradients, this.lr, locks);
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
