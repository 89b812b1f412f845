import { Numbers, poisoned } from "../arrays.ts";
import { behindGate, given, rowSum, times, zero, type Expected } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { checkOutput, checkSame } from "./check.ts";

const random = new Numbers(0);
const shapes: readonly (readonly [number, number])[] = [
  [0, 3],
  [3, 0],
  [1, 1],
  [7, 15],
  [5, 33],
  [40, 65],
  [4100, 2], // more than a block of its sums
  ...Array.from({ length: 6 }, () => [random.below(50), random.below(80)] as const),
];

function dot(terms: number, pair: (i: number) => readonly [number, number]): Expected {
  return rowSum(Array.from({ length: terms }, (_, i) => pair(i)));
}

export const activationClaims: Claims = {
  "gateApply multiplies by the unit's gate, and selects +0 where it is 0": (backend) => {
    const numbers = new Numbers(20);
    for (const [rows, units] of shapes) {
      const [h, gate, y] = [numbers.floats(rows * units), numbers.gates(units), poisoned(rows * units)];

      backend.kernels.gateApply(h, gate, y, rows, units);

      checkOutput(backend, `gateApply of [${rows}, ${units}]`, y, (at) =>
        behindGate(given(h[at]!), gate[at % units]!),
      );
    }
    const y = poisoned(4);
    backend.kernels.gateApply(Float32Array.of(Infinity, -Infinity, NaN, -1), Float32Array.of(0), y, 4, 1);
    y.forEach((value, i) => checkSame(value, 0, () => `gate 0, element ${i}`));
  },

  "activationBackward goes back through gate, scale and ReLU; its sums run in blocks of 4096 rows": (
    backend,
  ) => {
    const numbers = new Numbers(21);
    for (const [rows, units] of shapes) {
      for (const [relu, gating, keep] of [
        [true, true, 0.8],
        [true, false, 1],
        [false, true, 1],
      ] as const) {
        const dy = numbers.floats(rows * units);
        const h = numbers.floats(rows * units).map((v) => (relu && v < 0 ? 0 : v));
        const gate = gating ? numbers.gates(units) : null;
        const dv = poisoned(rows * units);
        const dgate = gating ? poisoned(units) : null;
        const dbias = poisoned(units);

        backend.kernels.activationBackward(dy, h, gate, dv, dgate, dbias, rows, units, relu, keep);

        const what = `activationBackward of [${rows}, ${units}], relu ${relu}, gate ${gating}, keep ${keep}`;
        checkOutput(backend, `${what}, dv`, dv, (at) => {
          if (relu && !(h[at]! > 0)) return zero;
          const u = gate === null ? given(dy[at]!) : behindGate(given(dy[at]!), gate[at % units]!);
          return keep === 1 ? u : times(u, Math.fround(1 / keep));
        });
        // From the dv that was written, so that its own error does not count again.
        checkOutput(backend, `${what}, dbias`, dbias, (unit) =>
          dot(rows, (row) => [dv[row * units + unit]!, 1]),
        );
        if (dgate !== null) {
          checkOutput(backend, `${what}, dgate`, dgate, (unit) =>
            dot(rows, (row) => [dy[row * units + unit]!, h[row * units + unit]!]),
          );
        }
      }
    }
  },

  "activationBackward gives a unit behind a gate of 0 no gradient, not even of an infinite one": (
    backend,
  ) => {
    const dv = poisoned(2);

    backend.kernels.activationBackward(
      Float32Array.of(Infinity, NaN),
      Float32Array.of(1, 1),
      Float32Array.of(0, 0),
      dv,
      null,
      null,
      1,
      2,
      false,
      1,
    );

    dv.forEach((value, i) => checkSame(value, 0, () => `element ${i}`));
  },
};
