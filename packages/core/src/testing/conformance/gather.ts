import { isPoison, Numbers, poisoned } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkRefused, checkSame } from "./check.ts";

const shapes: readonly (readonly [number, number])[] = [
  [0, 3],
  [3, 0],
  [1, 1],
  [5, 33],
  [9, 70],
  [40, 130],
];

// About half of the numbers below `count`, or all of them.
function listed(count: number, numbers: Numbers, all: boolean): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i).filter(() => all || numbers.below(2) === 1);
}

function isSet(bits: Uint32Array, columns: number, i: number, j: number): boolean {
  return ((bits[i * Math.ceil(columns / 32) + Math.floor(j / 32)]! >>> (j % 32)) & 1) === 1;
}

export const gatherClaims: Claims = {
  "gatherMatrix takes the listed rows and columns": (backend) => {
    const numbers = new Numbers(90);
    for (const [wholeRows, wholeColumns] of shapes) {
      for (const all of [false, true]) {
        const from = numbers.floats(wholeRows * wholeColumns);
        const [rows, columns] = [listed(wholeRows, numbers, all), listed(wholeColumns, numbers, all)];
        const to = poisoned(rows.length * columns.length);

        backend.kernels.gatherMatrix(from, to, rows, columns, wholeRows, wholeColumns);

        checkOutput(backend, `gatherMatrix of [${wholeRows}, ${wholeColumns}]`, to, (at) => {
          const row = rows[Math.floor(at / columns.length)]!;
          const value = from[row * wholeColumns + columns[at % columns.length]!]!;
          return { value, error: 0, exact: value };
        });
      }
    }
  },

  "scatterMatrix puts them back, and writes neither what is locked nor what is not listed": (backend) => {
    const numbers = new Numbers(91);
    for (const [wholeRows, wholeColumns] of shapes) {
      for (const withLocks of [false, true]) {
        const [rows, columns] = [listed(wholeRows, numbers, false), listed(wholeColumns, numbers, false)];
        const from = numbers.floats(rows.length * columns.length);
        const locks = withLocks ? numbers.locks(rows.length, columns.length) : null;
        const to = poisoned(wholeRows * wholeColumns);

        backend.kernels.scatterMatrix(from, locks, to, rows, columns, wholeRows, wholeColumns);

        to.forEach((value, at) => {
          const i = rows.indexOf(Math.floor(at / wholeColumns));
          const j = columns.indexOf(at % wholeColumns);
          const what = (): string => `scatterMatrix to [${wholeRows}, ${wholeColumns}]: element ${at}`;
          if (i < 0 || j < 0 || (locks !== null && isSet(locks, columns.length, i, j)))
            check(isPoison(to, at), () => `${what()} was written: ${value}`);
          else checkSame(value, from[i * columns.length + j]!, what);
        });
      }
    }
  },

  "gatherBits takes the bits of the listed rows and columns, and zeros behind them": (backend) => {
    const numbers = new Numbers(92);
    for (const [wholeRows, wholeColumns] of shapes) {
      const from = numbers.locks(wholeRows, wholeColumns);
      const [rows, columns] = [listed(wholeRows, numbers, false), listed(wholeColumns, numbers, false)];
      const to = new Uint32Array(rows.length * Math.ceil(columns.length / 32)).fill(~0);

      backend.kernels.gatherBits(from, to, rows, columns, wholeRows, wholeColumns);

      const width = Math.ceil(columns.length / 32) * 32;
      rows.forEach((row, i) => {
        for (let j = 0; j < width; j++) {
          const wanted = j < columns.length && isSet(from, wholeColumns, row, columns[j]!);
          check(isSet(to, width, i, j) === wanted, () => `gatherBits: bit ${j} of row ${i} is not ${wanted}`);
        }
      });
    }
  },

  "lists that leave the matrix, or do not ascend, are refused before anything is written": (backend) => {
    const { gatherMatrix, scatterMatrix } = backend.kernels;
    const [from, to] = [new Float32Array(6), poisoned(2)];

    checkRefused(
      "gatherMatrix of row 2 of 2",
      () => gatherMatrix(from, to, Uint32Array.of(2), Uint32Array.of(0, 1), 2, 3),
      "rows[0]",
      "below 2",
    );
    checkRefused(
      "scatterMatrix to columns 1, 1",
      () =>
        scatterMatrix(
          from.subarray(0, 2),
          null,
          new Float32Array(6),
          Uint32Array.of(0),
          Uint32Array.of(1, 1),
          2,
          3,
        ),
      "columns[1]",
      "ascend",
    );

    check(isPoison(to, 0), () => "gatherMatrix wrote before it refused");
  },
};
