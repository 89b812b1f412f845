import { Numbers, poisoned } from "../arrays.ts";
import { rounding, rowSum } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { checkNear, checkOutput, checkSame } from "./check.ts";

const counts = [0, 1, 7, 16, 33, 4095, 4096, 4097, 10_001];

// The order of the contract: chunks of 4096, 16 lanes, halves, chunks ascending; `round` after each addition.
function inOrder(terms: readonly number[], round: (x: number) => number): number {
  let total = 0;
  for (let from = 0; from < terms.length; from += 4096) {
    const lanes = Array.from({ length: 16 }, () => 0);
    terms.slice(from, from + 4096).forEach((term, i) => {
      lanes[i % 16] = round(lanes[i % 16]! + term);
    });
    for (let half = 8; half >= 1; half /= 2) {
      for (let i = 0; i < half; i++) lanes[i] = round(lanes[i]! + lanes[i + half]!);
    }
    total = round(total + lanes[0]!);
  }
  return total;
}

export const reductionClaims: Claims = {
  "sum is the total within its bound; its order is 4096, 16 lanes, halves": (backend) => {
    const numbers = new Numbers(90);
    for (const count of counts) {
      const x = numbers.floats(count);

      const got = backend.kernels.sum(x);

      const terms = [...x];
      const magnitude = terms.reduce((total, v) => total + Math.abs(v), 0);
      const bound = (256 + 4 + Math.ceil(count / 4096)) * rounding * magnitude;
      checkNear(
        got,
        terms.reduce((total, v) => total + v, 0),
        bound,
        () => `sum of ${count}`,
      );
      if (backend.exact)
        checkSame(got, inOrder(terms, Math.fround), () => `sum of ${count} in the fixed order`);
    }
  },

  "sumSquares is the same in double": (backend) => {
    const numbers = new Numbers(91);
    for (const count of counts) {
      const x = numbers.floats(count);

      const got = backend.kernels.sumSquares(x);

      const terms = [...x].map((v) => v * v);
      const total = terms.reduce((sum, v) => sum + v, 0);
      checkNear(got, total, (256 + 4 + count) * 2 ** -53 * total, () => `sumSquares of ${count}`);
      if (backend.exact)
        checkSame(
          got,
          inOrder(terms, (v) => v),
          () => `sumSquares of ${count} in the fixed order`,
        );
    }
  },

  "sumSquares of several arrays adds the sums of each in turn": (backend) => {
    const numbers = new Numbers(93);
    const arrays = Array.from({ length: 14 }, (_, i) => numbers.floats(3 * i));
    for (const list of [arrays, arrays.slice(5, 7)]) {
      const sums = list.map((x) => backend.kernels.sumSquares(x));

      checkSame(
        backend.kernels.sumSquares(...list),
        sums.reduce((total, sum) => total + sum, 0),
        () => `sumSquares of ${list.length} arrays`,
      );
    }
  },

  "columnSum adds rows in blocks of 4096, ascending, and is within their bound for a million of one sign": (
    backend,
  ) => {
    const numbers = new Numbers(92);
    for (const [rows, units] of [
      [0, 3],
      [3, 0],
      [1, 1],
      [9, 31],
      [33, 65],
      [4096, 3],
      [4097, 2],
      [12_289, 1],
    ] as const) {
      const [x, out] = [numbers.floats(rows * units), poisoned(units)];

      backend.kernels.columnSum(x, out, rows, units);

      checkOutput(backend, `columnSum of [${rows}, ${units}]`, out, (unit) =>
        rowSum(Array.from({ length: rows }, (_, row) => [x[row * units + unit]!, 1])),
      );
    }
    const rows = 1_000_000;
    const x = numbers.floats(rows).map((v) => 0.1 + Math.abs(v) / 1000);
    const out = poisoned(1);

    backend.kernels.columnSum(x, out, rows, 1);

    const total = x.reduce((sum, v) => sum + v, 0);
    checkNear(out[0]!, total, (4096 + 245) * rounding * total, () => `columnSum of ${rows} rows`);
  },

  "allFinite finds one NaN or infinity at any place": (backend) => {
    for (const count of [1, 3, 16, 35, 70_001]) {
      const x = new Numbers(93).floats(count);
      checkSame(Number(backend.kernels.allFinite(x)), 1, () => `allFinite of ${count} finite numbers`);
      for (const at of new Set([0, count >> 1, count - 1])) {
        for (const bad of [NaN, Infinity, -Infinity]) {
          const before = x[at]!;
          x[at] = bad;

          const found = backend.kernels.allFinite(x);

          x[at] = before;
          checkSame(Number(found), 0, () => `allFinite of ${count} with ${bad} at ${at}`);
        }
      }
    }
    checkSame(Number(backend.kernels.allFinite(new Float32Array(0))), 1, () => "allFinite of nothing");
    const largest = Float32Array.of(3.4028234663852886e38, -3.4028234663852886e38);
    checkSame(Number(backend.kernels.allFinite(largest)), 1, () => "allFinite of the largest float32");
  },
};
