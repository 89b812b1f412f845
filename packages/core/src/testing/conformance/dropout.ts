import { Stream } from "../../philox.ts";
import { isIntact, Numbers, poisoned } from "../arrays.ts";
import { given, positive, product, times, zero, type Expected } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkSame } from "./check.ts";

const shapes: readonly (readonly [number, number])[] = [
  [0, 4],
  [4, 0],
  [1, 1],
  [3, 7],
  [5, 33],
  [2, 130],
];
const stream = new Stream(2 ** 40 + 7, "conformance");
const step = 12345;

// The formula: word `unit & 3` of block (unit >> 2, row, step, stream) is below floor(keep 2^32).
function dropped(v: Expected, row: number, unit: number, keep: number): Expected {
  const kept = stream.words(unit + 1, step, row)[unit]! < Math.floor(keep * 2 ** 32);
  return kept ? times(v, Math.fround(1 / keep)) : zero;
}

export const dropoutClaims: Claims = {
  "randomBits are the words of the stream, by row and unit": (backend) => {
    for (const [rows, units] of shapes) {
      const floats = poisoned(rows * units);
      const out = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);

      backend.kernels.randomBits(out, rows, units, stream.key(step));

      for (let row = 0; row < rows; row++) {
        stream
          .words(units, step, row)
          .forEach((word, unit) =>
            checkSame(
              out[row * units + unit]!,
              word,
              () => `randomBits of [${rows}, ${units}], row ${row}, unit ${unit}`,
            ),
          );
      }
      check(isIntact(floats), () => "something outside of the output was written");
    }
  },

  "dropout keeps by the word of the element and scales by float32(1 / keep), and drops even NaN to +0": (
    backend,
  ) => {
    const numbers = new Numbers(80);
    for (const [rows, units] of shapes) {
      for (const keep of [0.3, 0.8, 1]) {
        const [x, y] = [numbers.floats(rows * units), poisoned(rows * units)];

        backend.kernels.dropout(x, y, rows, units, keep, stream.key(step));

        checkOutput(backend, `dropout of [${rows}, ${units}], keep ${keep}`, y, (at) =>
          dropped(given(x[at]!), Math.floor(at / units), at % units, keep),
        );
      }
    }
    const y = poisoned(64);
    backend.kernels.dropout(new Float32Array(64).fill(NaN), y, 1, 64, 0.5, stream.key(step));
    y.forEach((v, unit) => {
      if (dropped(given(1), 0, unit, 0.5) === zero) checkSame(v, 0, () => `the dropped NaN at ${unit}`);
    });
  },

  "linearForward drops the same elements behind its ReLU": (backend) => {
    const numbers = new Numbers(81);
    for (const [n, m] of shapes) {
      const k = 5;
      const [x, w, y] = [numbers.floats(n * k), numbers.floats(m * k), poisoned(n * m)];

      backend.kernels.linearForward(x, w, null, null, null, y, n, k, m, true, 0.7, stream.key(step));

      checkOutput(backend, `linearForward with dropout, [${n}, ${k}] by [${m}, ${k}]`, y, (at) => {
        const [row, unit] = [Math.floor(at / m), at % m];
        const terms = Array.from({ length: k }, (_, i) => [x[row * k + i]!, w[unit * k + i]!] as const);
        return dropped(positive(product(backend.precision, terms)), row, unit, 0.7);
      });
    }
  },

  "dropout and linearForward count a unit by its number in the full layer": (backend) => {
    const numbers = new Numbers(82);
    for (const whole of [1, 9, 130, 700]) {
      const unitNumbers = Uint32Array.from({ length: whole }, (_, i) => i).filter(
        () => numbers.below(3) === 0,
      );
      const [rows, units, k] = [3, unitNumbers.length, 5];
      const [x, y] = [numbers.floats(rows * units), poisoned(rows * units)];
      const [inputs, w, forwarded] = [
        numbers.floats(rows * k),
        numbers.floats(units * k),
        poisoned(rows * units),
      ];
      const random = stream.key(step);

      backend.kernels.dropout(x, y, rows, units, 0.6, random, unitNumbers);
      backend.kernels.linearForward(
        inputs,
        w,
        null,
        null,
        null,
        forwarded,
        rows,
        k,
        units,
        true,
        0.6,
        random,
        unitNumbers,
      );

      const place = (at: number): [number, number] => [Math.floor(at / units), unitNumbers[at % units]!];
      checkOutput(backend, `dropout of ${units} of ${whole} units`, y, (at) =>
        dropped(given(x[at]!), ...place(at), 0.6),
      );
      checkOutput(backend, `linearForward of ${units} of ${whole} units`, forwarded, (at) => {
        const [row, unit] = [Math.floor(at / units), at % units];
        const terms = Array.from({ length: k }, (_, i) => [inputs[row * k + i]!, w[unit * k + i]!] as const);
        return dropped(positive(product(backend.precision, terms)), ...place(at), 0.6);
      });
    }
  },
};
