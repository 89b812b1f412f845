import type { Kernels } from "../backend.ts";
import { checkSize } from "./argument.ts";

export const reductionKernels: Pick<Kernels, "sum" | "sumSquares" | "columnSum" | "allFinite"> = {
  sum(x) {
    let total = 0;
    for (const value of x) total += value;
    return Math.fround(total);
  },

  sumSquares(...arrays) {
    let total = 0;
    for (const x of arrays) {
      let squares = 0;
      for (const value of x) squares += value * value;
      total += squares;
    }
    return total;
  },

  columnSum(x, out, rows, units) {
    checkSize("columnSum", "x", x, rows * units);
    checkSize("columnSum", "out", out, units);
    for (let unit = 0; unit < units; unit++) {
      let total = 0;
      for (let row = 0; row < rows; row++) total += x[row * units + unit]!;
      out[unit] = total;
    }
  },

  allFinite(x) {
    return x.every(Number.isFinite);
  },
};
