import type { Backend } from "../../backend/backend.ts";
import { isIntact, Numbers, poisoned } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { check, checkNear, checkRefused, checkSame } from "./check.ts";

const counts = [0, 1, 15, 33, 4099];

type Binary = (a: number, b: number) => number;

// Functions of one rounding have the same bits on every backend, apart and in place.
function checkBinary(backend: Backend, name: "add" | "multiply" | "reluBackward", f: Binary): void {
  const numbers = new Numbers(70);
  for (const count of counts) {
    const [a, b, out] = [numbers.floats(count), numbers.floats(count), poisoned(count)];

    backend.kernels[name](a, b, out);

    out.forEach((v, i) =>
      checkSame(v, Math.fround(f(a[i]!, b[i]!)), () => `${name}, element ${i} of ${count}`),
    );
    check(isIntact(out), () => `${name}: something outside of the output was written`);
    backend.kernels[name](a, b, a);
    a.forEach((v, i) => checkSame(v, out[i]!, () => `${name} in place, element ${i} of ${count}`));
  }
}

function checkUnary(
  name: string,
  kernel: (x: Float32Array, y: Float32Array) => void,
  f: (x: number) => number,
): void {
  const numbers = new Numbers(71);
  for (const count of counts) {
    const [x, y] = [numbers.floats(count), poisoned(count)];

    kernel(x, y);

    y.forEach((v, i) => checkSame(v, Math.fround(f(x[i]!)), () => `${name}, element ${i} of ${count}`));
    check(isIntact(y), () => `${name}: something outside of the output was written`);
    kernel(x, x);
    x.forEach((v, i) => checkSame(v, y[i]!, () => `${name} in place, element ${i} of ${count}`));
  }
}

// A function with a stated error in ulp (native/kernels/elementary.h), and its values at the edges.
function checkFunction(
  backend: Backend,
  name: "exp" | "log" | "tanh" | "sigmoid",
  ulps: number,
  points: readonly number[],
  edges: readonly (readonly [number, number])[],
): void {
  const x = Float32Array.from(points);
  const y = poisoned(x.length);

  backend.kernels[name](x, y);

  const real = name === "sigmoid" ? (v: number): number => 1 / (1 + Math.exp(-v)) : Math[name];
  x.forEach((v, i) => {
    const wanted = real(v);
    const ulp = 2 ** (Math.floor(Math.log2(Math.abs(wanted) || 1)) - 23);
    checkNear(y[i]!, wanted, ulps * ulp, () => `${name}(${v})`);
  });
  check(isIntact(y), () => `${name}: something outside of the output was written`);
  for (const [at, wanted] of edges) {
    const out = new Float32Array(1);
    backend.kernels[name](Float32Array.of(at), out);
    checkSame(out[0]!, Math.fround(wanted), () => `${name}(${at})`);
  }
}

function range(low: number, high: number): number[] {
  return Array.from({ length: 2000 }, (_, i) => low + ((high - low) * (i + 0.37)) / 2000);
}

export const elementwiseClaims: Claims = {
  "add, multiply and reluBackward round once, apart and in place": (backend) => {
    checkBinary(backend, "add", (a, b) => a + b);
    checkBinary(backend, "multiply", (a, b) => a * b);
    checkBinary(backend, "reluBackward", (dy, y) => (y > 0 ? dy : 0));
  },

  "scale, clamp and relu round once, apart and in place": (backend) => {
    const { kernels } = backend;
    checkUnary(
      "scale",
      (x, y) => kernels.scale(x, 0.3, y),
      (x) => x * Math.fround(0.3),
    );
    checkUnary(
      "clamp",
      (x, y) => kernels.clamp(x, -0.3, 0.7, y),
      (x) => Math.min(Math.max(x, Math.fround(-0.3)), Math.fround(0.7)),
    );
    checkUnary(
      "relu",
      (x, y) => kernels.relu(x, y),
      (x) => (x > 0 ? x : 0),
    );
  },

  "clamp keeps NaN, which a check behind it can find; a low above high is refused": (backend) => {
    const y = new Float32Array(1);
    backend.kernels.clamp(Float32Array.of(NaN), -6, 6, y);
    checkSame(y[0]!, NaN, () => "clamp(NaN)");
    checkRefused("clamp from 2 to 1", () => backend.kernels.clamp(y, 2, 1, y), "2", "1");
  },

  "exp is within 1.01 ulp": (backend) =>
    checkFunction(
      backend,
      "exp",
      1.01,
      [...range(-87, 88.7), ...range(-1, 1)],
      [
        [0, 1],
        [89, Infinity],
        [-Infinity, 0],
        [Infinity, Infinity],
        [NaN, NaN],
      ],
    ),

  "log is within 1 ulp": (backend) =>
    checkFunction(
      backend,
      "log",
      1,
      [...range(1e-3, 4), ...range(1, 1e6), 1e-37, 1e38],
      [
        [1, 0],
        [0, -Infinity],
        [-1, NaN],
        [Infinity, Infinity],
        [NaN, NaN],
      ],
    ),

  "tanh is within 2 ulp": (backend) =>
    checkFunction(
      backend,
      "tanh",
      2,
      [...range(-10, 10), ...range(-0.7, 0.7)],
      [
        [0, 0],
        [100, 1],
        [-Infinity, -1],
        [NaN, NaN],
      ],
    ),

  "sigmoid is within 2.4 ulp": (backend) =>
    checkFunction(
      backend,
      "sigmoid",
      2.4,
      [...range(-87, 30), ...range(-2, 2)],
      [
        [0, 0.5],
        [50, 1],
        [-Infinity, 0],
        [Infinity, 1],
        [NaN, NaN],
      ],
    ),
};
