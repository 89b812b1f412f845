import type { Kernels } from "../backend.ts";
import { checkSize } from "./argument.ts";

/** Words of lock bits in a row of `columns` elements: rows begin at a word. */
export function lockWords(columns: number): number {
  return Math.ceil(columns / 32);
}

/** Bit j & 31 of word `i * lockWords(columns) + (j >> 5)`. */
export function isLockedBit(locks: Uint32Array, columns: number, i: number, j: number): boolean {
  return ((locks[i * lockWords(columns) + (j >> 5)]! >>> (j & 31)) & 1) === 1;
}

/** Steps one element of a weight, and of its state, by its gradient. */
export type ElementStep = (at: number, g: number) => void;

/** `w = w - lr g`. */
export function sgdStep(w: Float32Array, lr: number): ElementStep {
  const step = Math.fround(lr);
  return (at, g) => {
    w[at] = w[at]! - step * g; // the product of two float32 is exact in double: nearly one fma
  };
}

/** SGD with momentum and weight decay; each fma is rounded to float32. */
export function momentumStep(
  w: Float32Array,
  velocity: Float32Array | null,
  factors: Float32Array,
  nesterov: boolean,
): ElementStep {
  const [lr = 0, momentum = 0, decay = 0] = factors;
  return (at, gradient) => {
    const g = decay === 0 ? gradient : Math.fround(decay * w[at]! + gradient);
    let along = g;
    if (velocity !== null) {
      velocity[at] = momentum * velocity[at]! + g;
      along = nesterov ? Math.fround(momentum * velocity[at]! + g) : velocity[at]!;
    }
    w[at] = w[at]! - lr * along;
  };
}

/** Adam and AdamW; each operation that the kernel rounds is rounded to float32. */
export function adamStep(
  w: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  factors: Float32Array,
): ElementStep {
  const [step = 0, shrink = 0, decay = 0, meanShare = 0, squareKeep = 0, squareShare = 0] = factors;
  const [correction = 0, epsilon = 0] = factors.subarray(6);
  return (at, gradient) => {
    const g = decay === 0 ? gradient : Math.fround(decay * w[at]! + gradient);
    mean[at] = mean[at]! + meanShare * Math.fround(g - mean[at]!);
    square[at] = Math.fround(squareShare * g) * g + Math.fround(squareKeep * square[at]!);
    const root = Math.fround(Math.fround(Math.sqrt(square[at]!)) * correction + epsilon);
    w[at] = Math.fround(shrink * w[at]!) - step * Math.fround(mean[at]! / root);
  };
}

/** Calls `visit` with the row, the column and the index of every element that is not locked. */
export function forFreeElements(
  locks: Uint32Array | null,
  rows: number,
  columns: number,
  visit: (i: number, j: number, at: number) => void,
): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      if (locks === null || !isLockedBit(locks, columns, i, j)) visit(i, j, i * columns + j);
    }
  }
}

export const optimizerStepKernels: Pick<Kernels, "sgd" | "momentum" | "adam"> = {
  sgd(w, g, lr, locks, rows, columns) {
    checkSize("sgd", "w", w, rows * columns);
    checkSize("sgd", "g", g, rows * columns);
    checkSize("sgd", "locks", locks, rows * lockWords(columns));
    const step = sgdStep(w, lr);
    forFreeElements(locks, rows, columns, (_i, _j, at) => step(at, g[at]!));
  },

  momentum(w, g, velocity, factors, nesterov, locks, rows, columns) {
    checkSize("momentum", "w", w, rows * columns);
    checkSize("momentum", "g", g, rows * columns);
    checkSize("momentum", "velocity", velocity, rows * columns);
    checkSize("momentum", "factors", factors, 3);
    checkSize("momentum", "locks", locks, rows * lockWords(columns));
    const step = momentumStep(w, velocity, factors, nesterov);
    forFreeElements(locks, rows, columns, (_i, _j, at) => step(at, g[at]!));
  },

  adam(w, g, mean, square, factors, locks, rows, columns) {
    checkSize("adam", "w", w, rows * columns);
    checkSize("adam", "g", g, rows * columns);
    checkSize("adam", "mean", mean, rows * columns);
    checkSize("adam", "square", square, rows * columns);
    checkSize("adam", "factors", factors, 8);
    checkSize("adam", "locks", locks, rows * lockWords(columns));
    const step = adamStep(w, mean, square, factors);
    forFreeElements(locks, rows, columns, (_i, _j, at) => step(at, g[at]!));
  },
};
