import type { Backend } from "../backend/backend.ts";
import { tidy } from "../memory.ts";
import { multiply, sum } from "../operations/index.ts";
import { Tape } from "../tape.ts";
import { elements, tensor, type Shape, type Tensor } from "../tensor.ts";

/** Shape and values of an input whose gradient is checked. */
export interface GradientInput {
  readonly shape: Shape;
  readonly values: ArrayLike<number>;
}

/** How gradients are checked. */
export interface GradientCheckOptions {
  readonly backend: Backend;
  /** Distance of the nearer pair of points, in units of the input. Default 1/32. */
  readonly step?: number;
  /** Allowed difference, relative to what `checkGradient` says. Default 1e-4. */
  readonly tolerance?: number;
}

// What a result with several elements is multiplied by: no two alike, none small, signs mixed, so that errors of different
// elements do not cancel.
function projection(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1) * (0.5 + ((i * 7) % 16) / 16));
}

/**
 * Compares the tape's gradients of `f` with central differences, element by element, and throws an `Error` with the numbers
 * at the first that differs. A result with several elements is reduced by a fixed weighted sum.
 *
 * The forward pass is float32, so a difference over a distance h carries a rounding error of about 2^-24 M / h, where M is the
 * sum of the magnitudes of the result's elements. The plain central difference has a truncation error of h^2 and no h that
 * serves both; the extrapolation `(4 D(h) - D(2h)) / 3` of two of them has h^4, which at h = 1/32 is 1e-6 times the fifth
 * derivative. Some ten roundings of a forward pass then come to 3e-5 M: allowed is `tolerance * (max(1, M) + |gradient|)`.
 * `f` must be smooth within 2h = 1/16 of the values: keep them away from the kinks of relu and the ties of max pooling.
 *
 * @param f - a function of the inputs that gives its tape to each operation; the same result at each call
 * @param inputs - shapes and values of the arguments of `f`
 * @throws Error when a gradient is not that of the differences
 */
export function checkGradient(
  f: (inputs: Tensor[], tape: Tape) => Tensor,
  inputs: readonly GradientInput[],
  options: GradientCheckOptions,
): void {
  const { backend, step = 1 / 32, tolerance = 1e-4 } = options;
  const values = inputs.map((input) => Float32Array.from(input.values));

  const evaluate = (): { readonly value: number; readonly magnitude: number } =>
    tidy(() => {
      const result = f(
        inputs.map((input, i) => tensor(values[i]!, input.shape, { backend })),
        new Tape(),
      );
      const weights = result.data.length === 1 ? Float32Array.of(1) : projection(result.data.length);
      let [value, magnitude] = [0, 0];
      result.data.forEach((y, i) => {
        value += y * weights[i]!;
        magnitude += Math.abs(y * weights[i]!);
      });
      return { value, magnitude };
    });
  // Slope between the two points that float32 has near x - h and x + h.
  const slope = (array: Float32Array, at: number, h: number): number => {
    const x = array[at]!;
    const [low, high] = [Math.fround(x - h), Math.fround(x + h)];
    array[at] = high;
    const above = evaluate().value;
    array[at] = low;
    const below = evaluate().value;
    array[at] = x;
    return (above - below) / (high - low);
  };

  const byTape = gradientsByTape(f, inputs, backend);
  const scale = Math.max(1, evaluate().magnitude);
  values.forEach((array, i) => {
    for (let at = 0; at < array.length; at++) {
      const numeric = (4 * slope(array, at, step) - slope(array, at, 2 * step)) / 3;
      const gradient = byTape[i]![at]!;
      const allowed = tolerance * (scale + Math.abs(numeric));
      if (!(Math.abs(gradient - numeric) <= allowed)) {
        throw new Error(
          `the gradient of input ${i} [${inputs[i]!.shape.join(", ")}] at element ${at} is ${gradient} by the tape and ` +
            `${numeric} by central differences; allowed difference ${allowed}`,
        );
      }
    }
  });
}

// An input that the result does not depend on has a gradient of zeros.
function gradientsByTape(
  f: (inputs: Tensor[], tape: Tape) => Tensor,
  inputs: readonly GradientInput[],
  backend: Backend,
): Float32Array[] {
  return tidy(() => {
    const tape = new Tape();
    const leaves = inputs.map((input) => tensor(input.values, input.shape, { backend, requiresGrad: true }));
    const result = f(leaves, tape);
    const count = result.data.length;
    const weights = count === 1 ? undefined : tensor(projection(count), result.shape, { backend });
    const gradients = tape.backward(
      weights === undefined ? result : sum(multiply(result, weights, tape), tape),
    );
    return leaves.map((leaf) => gradients.get(leaf)?.toArray() ?? new Float32Array(elements(leaf.shape)));
  });
}
