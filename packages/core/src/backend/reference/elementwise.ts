import type { Kernels } from "../backend.ts";
import { checkSize, refuse } from "./argument.ts";

/** ReLU: +0 where `v` is not above 0. A NaN is not <= 0, and comes out. */
export function rectified(v: number): number {
  return v <= 0 ? 0 : v;
}

function unary(kernel: string, f: (x: number) => number): (x: Float32Array, y: Float32Array) => void {
  return (x, y) => {
    checkSize(kernel, "the output", y, x.length);
    for (let i = 0; i < x.length; i++) y[i] = f(x[i]!);
  };
}

function binary(
  kernel: string,
  f: (a: number, b: number) => number,
): (a: Float32Array, b: Float32Array, out: Float32Array) => void {
  return (a, b, out) => {
    checkSize(kernel, "the second input", b, a.length);
    checkSize(kernel, "the output", out, a.length);
    for (let i = 0; i < a.length; i++) out[i] = f(a[i]!, b[i]!);
  };
}

export const elementwiseKernels: Pick<
  Kernels,
  "add" | "multiply" | "scale" | "clamp" | "exp" | "log" | "tanh" | "sigmoid" | "relu" | "reluBackward"
> = {
  add: binary("add", (a, b) => a + b),
  multiply: binary("multiply", (a, b) => a * b),
  exp: unary("exp", Math.exp),
  log: unary("log", Math.log),
  tanh: unary("tanh", Math.tanh),
  sigmoid: unary("sigmoid", (x) => 1 / (1 + Math.exp(-x))),
  relu: unary("relu", rectified),
  reluBackward: binary("reluBackward", (dy, y) => (y <= 0 ? 0 : dy)),

  scale(a, factor, out) {
    const factor32 = Math.fround(factor);
    unary("scale", (x) => x * factor32)(a, out);
  },

  clamp(a, low, high, out) {
    const [low32, high32] = [Math.fround(low), Math.fround(high)];
    if (!(low32 <= high32)) refuse("clamp", `low is ${low} and high is ${high}; low must not be above high`);
    unary("clamp", (x) => (x < low32 ? low32 : x > high32 ? high32 : x))(a, out);
  },
};
