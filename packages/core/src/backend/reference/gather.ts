import type { Kernels } from "../backend.ts";
import { checkSize, refuse } from "./argument.ts";
import { isLockedBit, lockWords } from "./optimizer-step.ts";

/** Refuses a list of indices that does not ascend, or leaves `end`. Null and undefined pass: it was not given. */
export function checkAscending(
  kernel: string,
  name: string,
  list: Uint32Array | null | undefined,
  end: number,
): void {
  list?.forEach((index, at) => {
    if (index >= end) refuse(kernel, `${name}[${at}] is ${index}, and must be below ${end}`);
    if (at > 0 && index <= list[at - 1]!)
      refuse(kernel, `${name}[${at}] is ${index} behind ${list[at - 1]}: it must ascend`);
  });
}

export const gatherKernels: Pick<Kernels, "gatherMatrix" | "scatterMatrix" | "gatherBits"> = {
  gatherMatrix(from, to, rows, columns, wholeRows, wholeColumns) {
    const kernel = "gatherMatrix";
    checkAscending(kernel, "rows", rows, wholeRows);
    checkAscending(kernel, "columns", columns, wholeColumns);
    checkSize(kernel, "from", from, wholeRows * wholeColumns);
    checkSize(kernel, "to", to, rows.length * columns.length);
    rows.forEach((row, i) =>
      columns.forEach((column, j) => {
        to[i * columns.length + j] = from[row * wholeColumns + column]!;
      }),
    );
  },

  scatterMatrix(from, locks, to, rows, columns, wholeRows, wholeColumns) {
    const kernel = "scatterMatrix";
    checkAscending(kernel, "rows", rows, wholeRows);
    checkAscending(kernel, "columns", columns, wholeColumns);
    checkSize(kernel, "from", from, rows.length * columns.length);
    checkSize(kernel, "locks", locks, rows.length * lockWords(columns.length));
    checkSize(kernel, "to", to, wholeRows * wholeColumns);
    rows.forEach((row, i) =>
      columns.forEach((column, j) => {
        if (locks !== null && isLockedBit(locks, columns.length, i, j)) return;
        to[row * wholeColumns + column] = from[i * columns.length + j]!;
      }),
    );
  },

  gatherBits(from, to, rows, columns, wholeRows, wholeColumns) {
    const kernel = "gatherBits";
    checkAscending(kernel, "rows", rows, wholeRows);
    checkAscending(kernel, "columns", columns, wholeColumns);
    checkSize(kernel, "from", from, wholeRows * lockWords(wholeColumns));
    checkSize(kernel, "to", to, rows.length * lockWords(columns.length));
    to.fill(0);
    rows.forEach((row, i) =>
      columns.forEach((column, j) => {
        const word = i * lockWords(columns.length) + (j >> 5);
        if (isLockedBit(from, wholeColumns, row, column)) to[word] = to[word]! | (1 << (j & 31));
      }),
    );
  },
};
