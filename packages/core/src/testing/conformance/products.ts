import type { Backend } from "../../backend/backend.ts";
import { isPoison, Numbers, poisoned } from "../arrays.ts";
import { behindGate, fused, plus, positive, product, times, type Expected } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkRefused, checkSame } from "./check.ts";

// Rows, inputs, outputs: 0, 1, odd ones, around the widths of vectors and tiles, and longer than what caches are blocked for.
// Then random ones.
const random = new Numbers(0);
const shapes: readonly (readonly [number, number, number])[] = [
  [0, 3, 2],
  [3, 0, 2],
  [3, 2, 0],
  [1, 1, 1],
  [2, 1, 5],
  [5, 7, 3],
  [3, 33, 17],
  [13, 31, 15],
  [17, 16, 33],
  [31, 65, 7],
  [64, 32, 16],
  [9, 130, 40],
  [5, 600, 20],
  [5, 9, 800],
  [300, 40, 30],
  [2, 1100, 13],
  ...Array.from({ length: 8 }, () => [random.below(40), random.below(70), random.below(50)] as const),
];

type Pair = readonly [number, number];

function pairs(count: number, pair: (i: number) => Pair): Pair[] {
  return Array.from({ length: count }, (_, i) => pair(i));
}

function isLocked(locks: Uint32Array, columns: number, i: number, j: number): boolean {
  return ((locks[i * Math.ceil(columns / 32) + Math.floor(j / 32)]! >>> (j % 32)) & 1) === 1;
}

// w is NaN where it is locked and a step would write: a factor of 0 would show.
function poisonLocked(w: Float32Array, locks: Uint32Array, columns: number): Float32Array {
  const result = poisoned(w.length);
  w.forEach((value, at) => {
    if (!isLocked(locks, columns, Math.floor(at / columns), at % columns)) result[at] = value;
  });
  return result;
}

function checkLocked(what: string, w: Float32Array, locks: Uint32Array, columns: number): void {
  w.forEach((value, at) => {
    if (!isLocked(locks, columns, Math.floor(at / columns), at % columns)) return;
    check(isPoison(w, at), () => `${what}: the locked element ${at} was written: ${value}`);
  });
}

// The gradient of element [unit, input] of a weight: rows ascending.
function weightGradient(
  { precision }: Backend,
  dy: Float32Array,
  x: Float32Array,
  n: number,
  k: number,
  m: number,
  at: number,
): Expected {
  const [unit, input] = [Math.floor(at / k), at % k];
  return product(
    precision,
    pairs(n, (row) => [dy[row * m + unit]!, x[row * k + input]!]),
  );
}

/** Some columns of a matrix [rows, width]. */
function columnsOf(
  matrix: Float32Array,
  rows: number,
  width: number,
  columns: readonly number[],
): Float32Array {
  return Float32Array.from({ length: rows * columns.length }, (_, at) => {
    const row = Math.floor(at / columns.length);
    return matrix[row * width + columns[at % columns.length]!]!;
  });
}

function forward(
  backend: Backend,
  seed: number,
  parts: { bias: boolean; relu: boolean; gate: boolean },
): void {
  const numbers = new Numbers(seed);
  for (const [n, k, m] of shapes) {
    const [x, w] = [numbers.floats(n * k), numbers.floats(m * k)];
    const bias = parts.bias ? numbers.floats(m) : null;
    const gate = parts.gate ? numbers.gates(m) : null;
    const [h, y] = [parts.gate ? poisoned(n * m) : null, poisoned(n * m)];

    backend.kernels.linearForward(x, w, bias, gate, h, y, n, k, m, parts.relu, 1, null);

    const before = (at: number): Expected => {
      const [row, unit] = [Math.floor(at / m), at % m];
      let v = product(
        backend.precision,
        pairs(k, (i) => [x[row * k + i]!, w[unit * k + i]!]),
      );
      if (bias !== null) v = plus(v, bias[unit]!);
      return parts.relu ? positive(v) : v;
    };
    const what = `linearForward of [${n}, ${k}] by [${m}, ${k}] with ${JSON.stringify(parts)}`;
    checkOutput(backend, what, y, (at) =>
      gate === null ? before(at) : behindGate(before(at), gate[at % m]!),
    );
    if (h !== null) checkOutput(backend, `${what}, h`, h, before);
  }
}

export const productClaims: Claims = {
  "linearForward is the product": (backend) => forward(backend, 1, { bias: false, relu: false, gate: false }),

  "linearForward adds the bias, then takes the ReLU": (backend) => {
    forward(backend, 2, { bias: true, relu: false, gate: false });
    forward(backend, 3, { bias: true, relu: true, gate: false });
  },

  "linearForward multiplies by the gate last and stores what was before it": (backend) => {
    forward(backend, 4, { bias: true, relu: true, gate: true });
    forward(backend, 5, { bias: false, relu: false, gate: true });
  },

  "linearForward selects +0 behind a gate of 0, even where the value is infinite or NaN": (backend) => {
    const w = Float32Array.of(1, 1, -1, 0); // of x = [inf, 1]: inf and NaN
    const y = poisoned(2);

    backend.kernels.linearForward(
      Float32Array.of(Infinity, 1),
      w,
      null,
      Float32Array.of(0, 0),
      null,
      y,
      1,
      2,
      2,
      false,
      1,
      null,
    );

    y.forEach((value, i) => checkSame(value, 0, () => `output ${i}`));
  },

  "linearInputGradient is dy w, outputs ascending": (backend) => {
    const numbers = new Numbers(6);
    for (const [n, k, m] of shapes) {
      const [dy, w, dx] = [numbers.floats(n * m), numbers.floats(m * k), poisoned(n * k)];

      backend.kernels.linearInputGradient(dy, w, dx, n, k, m);

      checkOutput(backend, `linearInputGradient of [${n}, ${m}] by [${m}, ${k}]`, dx, (at) =>
        product(
          backend.precision,
          pairs(m, (unit) => [dy[Math.floor(at / k) * m + unit]!, w[unit * k + (at % k)]!]),
        ),
      );
    }
  },

  "terms that are zero may be left out of linearForward and linearInputGradient, where the backend says so": (
    backend,
  ) => {
    if (!backend.gatheringKeepsBits) return;
    const numbers = new Numbers(12);
    for (const [n, k, m] of shapes) {
      const keptInputs = Array.from({ length: k }, (_, i) => i).filter(() => numbers.below(3) > 0);
      const keptUnits = Array.from({ length: m }, (_, i) => i).filter(() => numbers.below(3) > 0);
      const [x, dy, w] = [new Float32Array(n * k), new Float32Array(n * m), numbers.floats(m * k)];
      for (let row = 0; row < n; row++) {
        for (const input of keptInputs) x[row * k + input] = numbers.next();
        for (const unit of keptUnits) dy[row * m + unit] = numbers.next();
      }
      const [y, part] = [poisoned(n * m), poisoned(n * m)];
      const forward = (from: Float32Array, weight: Float32Array, width: number, to: Float32Array): void =>
        backend.kernels.linearForward(from, weight, null, null, null, to, n, width, m, false, 1, null);

      forward(x, w, k, y);
      forward(columnsOf(x, n, k, keptInputs), columnsOf(w, m, k, keptInputs), keptInputs.length, part);

      const what = `of [${n}, ${k}] by [${m}, ${k}] without its zeros`;
      part.forEach((value, at) => checkSame(value, y[at]!, () => `linearForward ${what}: element ${at}`));
      const [dx, gathered] = [poisoned(n * k), poisoned(n * k)];
      const rows = keptUnits.flatMap((unit) => [...w.subarray(unit * k, (unit + 1) * k)]);
      backend.kernels.linearInputGradient(dy, w, dx, n, k, m);
      backend.kernels.linearInputGradient(
        columnsOf(dy, n, m, keptUnits),
        Float32Array.from(rows),
        gathered,
        n,
        k,
        keptUnits.length,
      );
      gathered.forEach((value, at) =>
        checkSame(value, dx[at]!, () => `linearInputGradient ${what}: element ${at}`),
      );
    }
  },

  "linearWeightGradient is dy' x, rows ascending": (backend) => {
    const numbers = new Numbers(7);
    for (const [n, k, m] of shapes) {
      const [dy, x, dw] = [numbers.floats(n * m), numbers.floats(n * k), poisoned(m * k)];

      backend.kernels.linearWeightGradient(dy, x, dw, n, k, m);

      checkOutput(backend, `linearWeightGradient of [${n}, ${m}] and [${n}, ${k}]`, dw, (at) =>
        weightGradient(backend, dy, x, n, k, m, at),
      );
    }
  },

  "linearWeightUpdate is one step down the weight's gradient, conditioned by 1 - min(post, pre)": (
    backend,
  ) => {
    const numbers = new Numbers(8);
    const lr = Math.fround(0.05);
    for (const [n, k, m] of shapes) {
      for (const condition of ["none", "post", "post and pre"]) {
        const [dy, x] = [numbers.floats(n * m), numbers.floats(n * k)];
        const before = numbers.floats(m * k);
        const w = poisoned(m * k);
        w.set(before);
        const post = condition === "none" ? null : numbers.gates(m);
        const pre = condition === "post and pre" ? numbers.gates(k) : null;

        backend.kernels.linearWeightUpdate(dy, x, w, lr, post, pre, null, n, k, m);

        checkOutput(
          backend,
          `linearWeightUpdate of [${m}, ${k}] by ${n} rows, condition ${condition}`,
          w,
          (at) => {
            let g = weightGradient(backend, dy, x, n, k, m, at);
            if (post !== null) {
              const used =
                pre === null ? post[Math.floor(at / k)]! : Math.min(post[Math.floor(at / k)]!, pre[at % k]!);
              g = times(g, Math.fround(1 - used));
            }
            return fused(-lr, g, before[at]!);
          },
        );
      }
    }
  },

  "linearWeightUpdate never writes a locked element, and the others as without locks": (backend) => {
    const numbers = new Numbers(9);
    for (const [n, k, m] of shapes) {
      for (const conditioned of [false, true]) {
        const [dy, x, before] = [numbers.floats(n * m), numbers.floats(n * k), numbers.floats(m * k)];
        const [post, pre] = conditioned ? [numbers.gates(m), numbers.gates(k)] : [null, null];
        const locks = numbers.locks(m, k);
        const w = poisonLocked(before, locks, k);
        const free = before.slice();
        backend.kernels.linearWeightUpdate(dy, x, free, 0.1, post, pre, null, n, k, m);

        backend.kernels.linearWeightUpdate(dy, x, w, 0.1, post, pre, locks, n, k, m);

        checkLocked(`linearWeightUpdate of [${m}, ${k}]`, w, locks, k);
        w.forEach((value, at) => {
          if (isPoison(w, at)) return;
          checkSame(value, free[at]!, () => `linearWeightUpdate of [${m}, ${k}]: the free element ${at}`);
        });
      }
    }
  },

  "sgd is one fused multiply-add per element": (backend) => {
    const numbers = new Numbers(10);
    const lr = Math.fround(0.3);
    for (const count of [0, 1, 15, 33, 4097]) {
      const [before, g, w] = [numbers.floats(count), numbers.floats(count), poisoned(count)];
      w.set(before);

      backend.kernels.sgd(w, g, lr, null, 1, count);

      checkOutput(backend, `sgd of ${count} elements`, w, (at) =>
        fused(-lr, { value: g[at]!, error: 0, exact: g[at]! }, before[at]!),
      );
    }
  },

  "sgd never writes a locked element, not even for an infinite gradient": (backend) => {
    const numbers = new Numbers(11);
    for (const [rows, columns] of [
      [0, 3],
      [3, 0],
      [1, 1],
      [7, 31],
      [3, 32],
      [5, 65],
    ] as const) {
      const before = numbers.floats(rows * columns);
      const locks = numbers.locks(rows, columns);
      const w = poisonLocked(before, locks, columns);
      const g = before.map((_, at) => (isPoison(w, at) ? Infinity : 1));

      backend.kernels.sgd(w, g, 0.5, locks, rows, columns);

      checkLocked(`sgd of [${rows}, ${columns}]`, w, locks, columns);
      w.forEach((value, at) => {
        if (isPoison(w, at)) return;
        checkSame(value, Math.fround(before[at]! - 0.5), () => `sgd of [${rows}, ${columns}]: element ${at}`);
      });
    }
  },

  "products of wrong sizes are refused before anything is written": (backend) => {
    const y = poisoned(4);
    const [x, w] = [new Float32Array(6), new Float32Array(5)];

    checkRefused(
      "linearForward with 5 weights for [2, 3]",
      () => backend.kernels.linearForward(x, w, null, null, null, y, 2, 3, 2, false, 1, null),
      "5",
      "6",
    );

    check(isPoison(y, 0), () => "linearForward wrote before it refused");
  },
};
