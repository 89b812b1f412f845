import { NumericError } from "../errors.ts";
import type { LockBits, Locks } from "../network/locks.ts";
import type { Gradients } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { finiteGradient } from "./check-finite.ts";

/** The arrays that a step reads and writes: the parameter's elements, then those of its state. */
export type Stepped = readonly [Float32Array, ...Float32Array[]];

/** How an optimizer steps one parameter: with the same bits by a gradient that is there, or inside the product of its factors. */
export interface ParameterStep {
  readonly name: string;
  readonly leaf: Tensor;
  readonly state: readonly Tensor[];
  /** Names of the arrays of the state, for messages. */
  readonly stateNames: readonly string[];
  /** Whether bounds show that no element of the parameter or its state can leave float32. */
  readonly isSafe: boolean;
  readonly byGradient: (
    stepped: Stepped,
    g: Float32Array,
    locks: Uint32Array | null,
    rows: number,
    columns: number,
  ) => void;
  /** dy [n, m], x [n, k], a parameter of shape [m, k]. */
  readonly byFactors: (
    stepped: Stepped,
    dy: Float32Array,
    x: Float32Array,
    locks: Uint32Array | null,
    n: number,
    k: number,
    m: number,
  ) => void;
  /** The same for a convolution's weight, where the rule has a kernel for it. */
  readonly byConvolution?: (
    stepped: Stepped,
    dy: Float32Array,
    x: Float32Array,
    locks: Uint32Array | null,
    geometry: Int32Array,
  ) => void;
}

/**
 * Steps that are not known to be safe are made on copies first, so that one which leaves float32 is refused before anything
 * is written. Pending gradients are then never written, where the rule has a kernel that steps in the product's
 * tiles.
 *
 * @throws NumericError (`NON_FINITE_GRADIENT`, `NON_FINITE_STEP`) when a gradient, or an element of a stepped parameter or of
 *   its state, is NaN or infinite
 */
export function takeSteps(
  steps: readonly ParameterStep[],
  gradients: Gradients,
  locks: Locks | undefined,
): void {
  for (const step of steps) if (!step.isSafe) rehearse(step, gradients, locks?.get(step.name));
  for (const step of steps) {
    const { leaf } = step;
    const words = locks?.get(step.name)?.words ?? null;
    const stepped: Stepped = [leaf.data, ...step.state.map((one) => one.data)];
    const product = gradients.pending(leaf);
    if (product?.kind === "linear") {
      const [m, k] = leaf.shape as [number, number];
      step.byFactors(stepped, product.dy.data, product.x.data, words, product.dy.shape[0]!, k, m);
    } else if (product?.geometry !== undefined && step.byConvolution !== undefined) {
      step.byConvolution(stepped, product.dy.data, product.x.data, words, product.geometry);
    } else {
      const [rows, columns] = matrixOf(leaf);
      step.byGradient(stepped, gradients.get(leaf)!.data, words, rows, columns);
    }
    leaf.written();
  }
}

// A row for each output unit, as locks have it.
function matrixOf(leaf: Tensor): readonly [number, number] {
  const rows = leaf.shape[0] ?? 1;
  return [rows, rows === 0 ? 0 : leaf.data.length / rows];
}

function rehearse(step: ParameterStep, gradients: Gradients, bits: LockBits | undefined): void {
  const { leaf, name } = step;
  const g = finiteGradient(name, leaf, gradients);
  const copies: Stepped = [leaf.data.slice(), ...step.state.map((one) => one.data.slice())];
  const [rows, columns] = matrixOf(leaf);
  step.byGradient(copies, g, bits?.words ?? null, rows, columns);
  copies.forEach((copy, i) => {
    if (leaf.backend.kernels.allFinite(copy)) return;
    const wrong = copy.findIndex(
      (value, at) =>
        !Number.isFinite(value) && bits?.isLocked(Math.floor(at / columns), at % columns) !== true,
    );
    if (wrong < 0) return;
    const what = i === 0 ? `"${name}"` : `the ${step.stateNames[i - 1]} of "${name}"`;
    throw new NumericError(
      "NON_FINITE_STEP",
      `a step by the gradient ${g[wrong]} takes element ${wrong} of ${what} beyond float32; try a smaller learning rate`,
    );
  });
}
