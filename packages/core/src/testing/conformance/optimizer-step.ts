import type { Backend, Kernels } from "../../backend/backend.ts";
import { isIntact, isPoison, Numbers, poisoned } from "../arrays.ts";
import { rounding } from "../bounded.ts";
import { fma32 } from "../fma.ts";
import type { Claims } from "./case.ts";
import { check, checkNear, checkSame } from "./check.ts";

// A weight and its state: [w], [w, velocity] or [w, mean, square].
type Streams = readonly Float32Array[];

// One optimizer in one setting: how its kernels are called, and its formula for one element.
interface Rule {
  readonly name: string;
  readonly state: number;
  /** From a gradient that is there. */
  readonly apart: (
    kernels: Kernels,
    streams: Streams,
    g: Float32Array,
    locks: Uint32Array | null,
    rows: number,
    columns: number,
  ) => void;
  /** From the factors of the gradient. */
  readonly fused: (
    kernels: Kernels,
    streams: Streams,
    dy: Float32Array,
    x: Float32Array,
    locks: Uint32Array | null,
    n: number,
    k: number,
    m: number,
  ) => void;
  /** The formula, with the arithmetic that it is given. */
  readonly formula: (element: readonly number[], g: number, arithmetic: Arithmetic) => number[];
}

interface Arithmetic {
  readonly fma: (a: number, b: number, c: number) => number;
  readonly round: (x: number) => number;
}

const inDouble: Arithmetic = { fma: (a, b, c) => a * b + c, round: (x) => x };
const inFloat: Arithmetic = { fma: fma32, round: Math.fround };

function momentumRule(name: string, state: 0 | 1, factors: readonly number[], nesterov: boolean): Rule {
  const array = Float32Array.from(factors);
  const [lr = 0, momentum = 0, decay = 0] = array;
  return {
    name,
    state,
    apart: (kernels, [w, velocity], g, locks, rows, columns) =>
      kernels.momentum(w!, g, velocity ?? null, array, nesterov, locks, rows, columns),
    fused: (kernels, [w, velocity], dy, x, locks, n, k, m) =>
      kernels.linearWeightMomentum(dy, x, w!, velocity ?? null, array, nesterov, null, null, locks, n, k, m),
    formula: ([w = 0, velocity = 0], gradient, { fma }) => {
      const g = decay === 0 ? gradient : fma(decay, w, gradient);
      if (state === 0) return [fma(-lr, g, w)];
      const moved = fma(momentum, velocity, g);
      return [fma(-lr, nesterov ? fma(momentum, moved, g) : moved, w), moved];
    },
  };
}

function adamRule(name: string, factors: readonly number[]): Rule {
  const array = Float32Array.from(factors);
  const [step = 0, shrink = 0, decay = 0, meanShare = 0, squareKeep = 0, squareShare = 0] = array;
  const [correction = 0, epsilon = 0] = array.subarray(6);
  return {
    name,
    state: 2,
    apart: (kernels, [w, mean, square], g, locks, rows, columns) =>
      kernels.adam(w!, g, mean!, square!, array, locks, rows, columns),
    fused: (kernels, [w, mean, square], dy, x, locks, n, k, m) =>
      kernels.linearWeightAdam(dy, x, w!, mean!, square!, array, null, null, locks, n, k, m),
    formula: ([w = 0, mean = 0, square = 0], gradient, { fma, round }) => {
      const g = decay === 0 ? gradient : fma(decay, w, gradient);
      const mean1 = fma(meanShare, round(g - mean), mean);
      const square1 = fma(round(squareShare * g), g, round(squareKeep * square));
      const root = fma(round(Math.sqrt(square1)), correction, epsilon);
      return [fma(-step, round(mean1 / root), round(shrink * w)), mean1, square1];
    },
  };
}

const rules: readonly Rule[] = [
  momentumRule("SGD with weight decay", 0, [0.1, 0, 0.01], false),
  momentumRule("momentum", 1, [0.1, 0.9, 0], false),
  momentumRule("Nesterov's momentum with weight decay", 1, [0.1, 0.9, 0.01], true),
  adamRule("Adam with weight decay", [0.004, 1, 0.01, 0.1, 0.999, 0.001, 18, 1e-8]),
  adamRule("AdamW", [0.004, 0.999, 0, 0.1, 0.999, 0.001, 18, 1e-8]),
];

// The state's second moment is not negative, and not so small that its root says nothing.
function numbersOf(numbers: Numbers, rule: Rule, count: number): Float32Array[] {
  return Array.from({ length: 1 + rule.state }, (_, i) =>
    i === 2
      ? Float32Array.from({ length: count }, () => 0.25 + Math.abs(numbers.next()))
      : numbers.floats(count),
  );
}

function isLocked(locks: Uint32Array, columns: number, at: number): boolean {
  const j = at % columns;
  return ((locks[Math.floor(at / columns) * Math.ceil(columns / 32) + (j >> 5)]! >>> (j & 31)) & 1) === 1;
}

// Copies that are NaN where they are locked: reading one for a step, or writing it, would show.
function lockedCopies(
  streams: readonly Float32Array[],
  locks: Uint32Array | null,
  columns: number,
): Float32Array[] {
  return streams.map((stream) => {
    const copy = poisoned(stream.length);
    stream.forEach((value, at) => {
      if (locks === null || !isLocked(locks, columns, at)) copy[at] = value;
    });
    return copy;
  });
}

function checkFormula(backend: Backend, rule: Rule, rows: number, columns: number, locked: boolean): void {
  const numbers = new Numbers(rows * 100 + columns);
  const before = numbersOf(numbers, rule, rows * columns);
  const g = numbers.floats(rows * columns);
  const locks = locked ? numbers.locks(rows, columns) : null;
  const streams = lockedCopies(before, locks, columns);

  rule.apart(backend.kernels, streams, g, locks, rows, columns);

  const what = `${rule.name} of [${rows}, ${columns}]`;
  for (const [s, stream] of streams.entries()) {
    check(isIntact(stream), () => `${what}: something outside of array ${s} was written`);
    stream.forEach((value, at) => {
      if (locks !== null && isLocked(locks, columns, at)) {
        check(isPoison(stream, at), () => `${what}: the locked element ${at} of array ${s} was written`);
        return;
      }
      const element = before.map((array) => array[at]!);
      // At most eight roundings, each of something below 4: numbers are below 1, a second moment is 1/4 at least.
      const wanted = rule.formula(element, g[at]!, inDouble)[s]!;
      checkNear(value, wanted, 32 * rounding, () => `${what}: element ${at} of array ${s}`);
      if (!backend.exact) return;
      const bits = rule.formula(element, g[at]!, inFloat)[s]!;
      checkSame(value, bits, () => `${what}: element ${at} of array ${s}, by its formula`);
    });
  }
}

function checkFused(
  backend: Backend,
  rule: Rule,
  [n, k, m]: readonly [number, number, number],
  locked: boolean,
): void {
  const numbers = new Numbers(n * 100 + k + m);
  const [dy, x] = [numbers.floats(n * m), numbers.floats(n * k)];
  const before = numbersOf(numbers, rule, m * k);
  const locks = locked ? numbers.locks(m, k) : null;
  const [fused, apart] = [lockedCopies(before, locks, k), lockedCopies(before, locks, k)];
  const g = new Float32Array(m * k);
  backend.kernels.linearWeightGradient(dy, x, g, n, k, m);
  rule.apart(backend.kernels, apart, g, locks, m, k);

  rule.fused(backend.kernels, fused, dy, x, locks, n, k, m);

  const what = `${rule.name} in the tile of [${m}, ${k}] by ${n} rows`;
  for (const [s, stream] of fused.entries()) {
    check(isIntact(stream), () => `${what}: something outside of array ${s} was written`);
    stream.forEach((value, at) => {
      if (isPoison(stream, at) && isPoison(apart[s]!, at)) return;
      checkSame(value, apart[s]![at]!, () => `${what}: element ${at} of array ${s}`);
    });
  }
}

const matrices: readonly (readonly [number, number])[] = [
  [0, 3],
  [3, 0],
  [1, 1],
  [7, 31],
  [3, 32],
  [5, 65],
  [1, 4097],
];

const products: readonly (readonly [number, number, number])[] = [
  [0, 3, 2],
  [3, 0, 2],
  [1, 1, 1],
  [5, 7, 3],
  [3, 33, 17],
  [17, 16, 33],
  [64, 32, 16],
  [9, 130, 40],
];

export const optimizerStepClaims: Claims = {
  "momentum and adam step weight and state by their formulas": (backend) => {
    for (const rule of rules)
      for (const [rows, columns] of matrices) checkFormula(backend, rule, rows, columns, false);
  },

  "momentum and adam write neither the weight nor the state of a locked element": (backend) => {
    for (const rule of rules)
      for (const [rows, columns] of matrices) checkFormula(backend, rule, rows, columns, true);
  },

  "linearWeightMomentum and linearWeightAdam have the bits of momentum and adam after linearWeightGradient": (
    backend,
  ) => {
    for (const rule of rules) {
      for (const shape of products) {
        checkFused(backend, rule, shape, false);
        checkFused(backend, rule, shape, true);
      }
    }
  },
};
