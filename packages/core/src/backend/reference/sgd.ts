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

export const sgdKernels: Pick<Kernels, "sgd"> = {
  sgd(w, g, lr, locks, rows, columns) {
    checkSize("sgd", "w", w, rows * columns);
    checkSize("sgd", "g", g, rows * columns);
    checkSize("sgd", "locks", locks, rows * lockWords(columns));
    const step = Math.fround(lr);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        if (locks !== null && isLockedBit(locks, columns, i, j)) continue;
        const at = i * columns + j;
        w[at] = w[at]! - step * g[at]!; // the product of two float32 is exact in double: nearly one fma
      }
    }
  },
};
