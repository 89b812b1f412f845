import { NumericError } from "../errors.ts";
import type { Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { gradientNormBound } from "./gradient-norm.ts";
import { steppedParameters } from "./stepped-parameters.ts";

/**
 * Half the distance from the largest float32 to the next number: a step below it takes no finite weight to infinity. A
 * product of finite factors is below it if the product of their norms is (Cauchy-Schwarz), so two cheap sums over the
 * factors spare a look at the weight and its gradient. The margin of 2 covers the rounding of the chain.
 */
export const safeBound: number = 2 ** 102;

// Of one call of sumSquares.
const mostArrays = 14;

/**
 * The gradient of a leaf, computed now.
 * @throws NumericError (`NON_FINITE_GRADIENT`) when it is NaN or infinite somewhere
 */
export function finiteGradient(name: string, leaf: Tensor, gradients: Gradients): Float32Array {
  const { data } = gradients.get(leaf)!;
  if (!leaf.backend.kernels.allFinite(data)) {
    throw new NumericError(
      "NON_FINITE_GRADIENT",
      `the gradient of "${name}" is not finite; look for a NaN in what it is computed from, or try a smaller learning rate`,
    );
  }
  return data;
}

// Whether one bound for all gradients shows that every step is safe, as in nearly every step that is trained: with the squares of
// everything, gradients and factors, a norm is at most the root of the sum, and a product of two norms at most the sum.
function areSmall(list: readonly (readonly [string, Tensor])[], gradients: Gradients, lr: number): boolean {
  const arrays: Float32Array[] = [];
  let positions = 1;
  for (const [, leaf] of list) {
    const product = gradients.pending(leaf);
    if (product === undefined) arrays.push(gradients.get(leaf)!.data);
    else arrays.push(product.dy.data, product.x.data);
    if (product?.kind === "conv2d") positions = Math.max(positions, leaf.shape[1]! * leaf.shape[2]!);
  }
  let squares = 0;
  const { kernels } = list[0]![1].backend;
  for (let i = 0; i < arrays.length; i += mostArrays)
    squares += kernels.sumSquares(...arrays.slice(i, i + mostArrays));
  const bound = Math.max(squares, Math.sqrt(squares)) * Math.sqrt(positions);
  return bound < safeBound && bound * lr < safeBound;
}

/**
 * Refuses a step before anything is written: an infinity in a weight would outlive every lock, for an unlocked weight may lie
 * between a unit that an old task uses and one that it does not, and 0 * Inf is NaN.
 *
 * @throws NumericError (`NON_FINITE_GRADIENT`, `NON_FINITE_STEP`) when a gradient, or `w - lr g` of an element that is not
 *   locked, is NaN or infinite
 * @throws ConfigError (`SAME_TENSOR`, `DUPLICATE_NAME`) as in a step
 */
export function checkFinite(
  parameters: Iterable<readonly [string, Tensor]>,
  gradients: Gradients,
  lr = 1,
  locks?: Locks,
): void {
  const list = steppedParameters(parameters, gradients);
  if (list.length === 0 || areSmall(list, gradients, lr)) return;
  for (const [name, leaf] of list) {
    const bound = gradientNormBound(gradients, leaf);
    if (bound < safeBound && bound * lr < safeBound) continue;
    const data = finiteGradient(name, leaf, gradients);
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
