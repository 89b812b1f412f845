import { philoxBlock } from "../../philox.ts";
import type { Kernels } from "../backend.ts";
import { checkKeep, checkSize } from "./argument.ts";
import { checkAscending } from "./gather.ts";

const block = new Uint32Array(4);

/** Word `unit & 3` of Philox block (unit >> 2, row, step, stream). `random` = [seedLow, seedHigh, stream, step]. */
export function philoxWord(row: number, unit: number, random: Uint32Array): number {
  philoxBlock(block, 0, unit >>> 2, row, random[3]!, random[2]!, random[0]!, random[1]!);
  return block[unit & 3]!;
}

/** What dropout makes of `v`: +0, or `v` times float32(1 / keep). A dropped element is selected away, not multiplied. */
export function dropped(v: number, row: number, unit: number, keep: number, random: Uint32Array): number {
  const kept = philoxWord(row, unit, random) < Math.floor(keep * 2 ** 32);
  return kept ? Math.fround(v * Math.fround(1 / keep)) : 0;
}

export const dropoutKernels: Pick<Kernels, "dropout" | "randomBits"> = {
  dropout(x, y, rows, units, keep, random, numbers) {
    checkSize("dropout", "x", x, rows * units);
    checkSize("dropout", "y", y, rows * units);
    checkSize("dropout", "random", random, 4);
    checkSize("dropout", "numbers", numbers ?? null, units);
    checkAscending("dropout", "numbers", numbers, 2 ** 32);
    checkKeep("dropout", keep);
    for (let row = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++) {
        const at = row * units + unit;
        y[at] = dropped(x[at]!, row, numbers?.[unit] ?? unit, keep, random);
      }
    }
  },

  randomBits(out, rows, units, random) {
    checkSize("randomBits", "out", out, rows * units);
    checkSize("randomBits", "random", random, 4);
    for (let row = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++) out[row * units + unit] = philoxWord(row, unit, random);
    }
  },
};
