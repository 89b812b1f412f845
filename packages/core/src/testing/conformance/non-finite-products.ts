import { Numbers } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { checkFeeding, reached, type Reach } from "./feeding.ts";

// Rows, inputs, outputs: small, and large enough that a backend may leave out the zeros of a factor.
const shapes = [
  [3, 5, 4],
  [33, 66, 52],
] as const;

const lr = 0.1;

// As behind ReLU and dropout: a backend may leave such zeros out, but not where they meet what is not finite.
function mostlyZero(numbers: Numbers, count: number): Float32Array {
  return numbers.floats(count).map((value) => (numbers.below(4) === 0 ? value : 0));
}

// A matrix whose columns are all zeros here and there: what a step need not look at, unless it must.
function withZeroColumns(values: Float32Array, columns: number): Float32Array {
  return values.map((value, i) => ((i % columns) % 3 === 0 ? 0 : value));
}

function isLocked(locks: Uint32Array | null, columns: number, at: number): boolean {
  if (locks === null) return false;
  const [row, column] = [Math.floor(at / columns), at % columns];
  return ((locks[row * Math.ceil(columns / 32) + (column >> 5)]! >>> (column & 31)) & 1) === 1;
}

// How the array `from` of a step reaches the array `to` at the same element. A mean divided by an infinite root is 0.
function stateReach(from: string, to: string, bad: number): Reach {
  if (from === to) return "yes";
  if (from === "w") return "no"; // without weight decay
  if (from === "square") return to === "w" ? (bad === Infinity ? "maybe" : "yes") : "no";
  return to === "w" ? "yes" : "no";
}

/** The same of products, also where a backend leaves zeros out, and of the steps of optimizers. */
export const nonFiniteProductClaims: Claims = {
  "linearForward and linearInputGradient pass a NaN on, and make one of 0 times NaN or infinity": (
    backend,
  ) => {
    const numbers = new Numbers(140);
    for (const [n, k, m] of shapes) {
      for (const relu of [false, true]) {
        const gate = numbers.gates(m);
        checkFeeding(backend, {
          what: `linearForward of [${n}, ${k}] by [${m}, ${k}], relu ${relu}`,
          inputs: {
            x: mostlyZero(numbers, n * k),
            w: numbers.floats(m * k),
            bias: numbers.floats(m),
            gate,
          },
          outputs: { h: n * m, y: n * m },
          run: ({ x, w, bias, gate: gates, h, y }) =>
            backend.kernels.linearForward(x, w, bias, gates, h, y, n, k, m, relu, 1, null),
          reach: (input, at, output, to, bad) => {
            const [row, unit] = [Math.floor(to / m), to % m];
            if (input === "gate") return output === "h" || at !== unit ? "no" : "yes";
            const isTerm =
              input === "x" ? Math.floor(at / k) === row : (input === "w" ? Math.floor(at / k) : at) === unit;
            if (!isTerm || (output === "y" && gate[unit] === 0)) return "no";
            return relu && !Number.isNaN(bad) ? "maybe" : "yes"; // ReLU takes -Infinity to 0
          },
        });
      }
      checkFeeding(backend, {
        what: `linearInputGradient of [${n}, ${m}] by [${m}, ${k}]`,
        inputs: { dy: mostlyZero(numbers, n * m), w: numbers.floats(m * k) },
        outputs: { dx: n * k },
        run: ({ dy, w, dx }) => backend.kernels.linearInputGradient(dy, w, dx, n, k, m),
        reach: (input, at, _, to) =>
          reached(input === "dy" ? Math.floor(at / m) === Math.floor(to / k) : at % k === to % k),
      });
    }
  },

  "linearWeightGradient, linearWeightUpdate, linearWeightMomentum and linearWeightAdam pass a NaN on to what is not locked":
    (backend) => {
      const { kernels } = backend;
      const numbers = new Numbers(141);
      const [momentum, adam] = [
        Float32Array.of(lr, 0.9, 0),
        Float32Array.of(lr, 1, 0, 0.1, 0.9, 0.1, 1, 1e-8),
      ];
      for (const [n, k, m] of shapes) {
        for (const locks of [null, numbers.locks(m, k)]) {
          const factors = {
            dy: mostlyZero(numbers, n * m),
            x: withZeroColumns(numbers.floats(n * k), k),
          };
          const reach = (input: string, at: number, output: string, to: number, bad: number): Reach => {
            if (output !== "dw" && isLocked(locks, k, to)) return reached(input === output && at === to);
            const [unit, column] = [Math.floor(to / k), to % k];
            if (input === "dy") return reached(at % m === unit);
            if (input === "x") return reached(at % k === column);
            if (input === "post" || input === "pre") {
              if (at !== (input === "post" ? unit : column)) return "no";
              return Number.isNaN(bad) ? "yes" : "maybe"; // the smaller of two
            }
            return at === to ? stateReach(input, output, bad) : "no";
          };
          const [w, state] = [numbers.floats(m * k), numbers.floats(m * k).map(Math.abs)];
          const what = `of [${m}, ${k}] by ${n} rows, ${locks === null ? "without" : "with"} locks`;
          checkFeeding<"dy" | "x", "dw">(backend, {
            what: `linearWeightGradient ${what}`,
            inputs: factors,
            outputs: { dw: m * k },
            run: ({ dy, x, dw }) => kernels.linearWeightGradient(dy, x, dw, n, k, m),
            reach,
          });
          checkFeeding<"dy" | "x" | "w", "w">(backend, {
            what: `linearWeightUpdate ${what}`,
            inputs: { ...factors, w },
            outputs: {},
            run: (all) => kernels.linearWeightUpdate(all.dy, all.x, all.w, lr, null, null, locks, n, k, m),
            reach,
          });
          checkFeeding<"dy" | "x" | "w" | "post" | "pre", "w">(backend, {
            what: `linearWeightUpdate ${what}, softly`,
            inputs: { ...factors, w, post: numbers.gates(m), pre: numbers.gates(k) },
            outputs: {},
            run: (all) =>
              kernels.linearWeightUpdate(all.dy, all.x, all.w, lr, all.post, all.pre, locks, n, k, m),
            reach,
          });
          checkFeeding<"dy" | "x" | "w" | "velocity", "w" | "velocity">(backend, {
            what: `linearWeightMomentum ${what}`,
            inputs: { ...factors, w, velocity: state },
            outputs: {},
            run: ({ dy, x, w: weights, velocity }) =>
              kernels.linearWeightMomentum(
                dy,
                x,
                weights,
                velocity,
                momentum,
                false,
                null,
                null,
                locks,
                n,
                k,
                m,
              ),
            reach,
          });
          checkFeeding<"dy" | "x" | "w" | "mean" | "square", "w" | "mean" | "square">(backend, {
            what: `linearWeightAdam ${what}`,
            inputs: { ...factors, w, mean: numbers.floats(m * k), square: state },
            outputs: {},
            run: ({ dy, x, w: weights, mean, square }) =>
              kernels.linearWeightAdam(dy, x, weights, mean, square, adam, null, null, locks, n, k, m),
            reach,
          });
        }
      }
    },

  "sgd, momentum and adam pass a NaN of the gradient and of their state on to what is not locked": (
    backend,
  ) => {
    const { kernels } = backend;
    const numbers = new Numbers(142);
    const [rows, columns] = [5, 37];
    const count = rows * columns;
    const [momentum, adam] = [Float32Array.of(lr, 0.9, 0), Float32Array.of(lr, 1, 0, 0.1, 0.9, 0.1, 1, 1e-8)];
    for (const locks of [null, numbers.locks(rows, columns)]) {
      const reach = (input: string, at: number, output: string, to: number, bad: number): Reach => {
        if (at !== to) return "no";
        if (isLocked(locks, columns, to)) return reached(input === output);
        return input === "g" ? "yes" : stateReach(input, output, bad);
      };
      const [g, w, state] = [
        numbers.floats(count),
        numbers.floats(count),
        numbers.floats(count).map(Math.abs),
      ];
      checkFeeding<"g" | "w", "w">(backend, {
        what: "sgd",
        inputs: { g, w },
        outputs: {},
        run: (all) => kernels.sgd(all.w, all.g, lr, locks, rows, columns),
        reach,
      });
      checkFeeding<"g" | "w" | "velocity", "w" | "velocity">(backend, {
        what: "momentum",
        inputs: { g, w, velocity: state },
        outputs: {},
        run: (all) => kernels.momentum(all.w, all.g, all.velocity, momentum, false, locks, rows, columns),
        reach,
      });
      checkFeeding<"g" | "w" | "mean" | "square", "w" | "mean" | "square">(backend, {
        what: "adam",
        inputs: { g, w, mean: numbers.floats(count), square: state },
        outputs: {},
        run: (all) => kernels.adam(all.w, all.g, all.mean, all.square, adam, locks, rows, columns),
        reach,
      });
    }
  },
};
