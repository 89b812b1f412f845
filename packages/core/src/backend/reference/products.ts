import type { Kernels } from "../backend.ts";
import { gated } from "./activation.ts";
import { checkKeep, checkSize, refuse } from "./argument.ts";
import { dropped } from "./dropout.ts";
import { rectified } from "./elementwise.ts";
import { checkAscending } from "./gather.ts";
import {
  adamStep,
  forFreeElements,
  lockWords,
  momentumStep,
  sgdStep,
  type ElementStep,
} from "./optimizer-step.ts";

// The sum of `count` products in double, ascending, rounded to float32 at its end; a and b are walked in steps of their own.
function dot(
  a: Float32Array,
  aFrom: number,
  aStep: number,
  b: Float32Array,
  bFrom: number,
  bStep: number,
  count: number,
): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[aFrom + i * aStep]! * b[bFrom + i * bStep]!;
  return Math.fround(sum);
}

// Each step behind the sum rounds to float32, so that a fused layer has the bits of its steps one by one.
export const productKernels: Pick<
  Kernels,
  | "linearForward"
  | "linearInputGradient"
  | "linearWeightGradient"
  | "linearWeightUpdate"
  | "linearWeightMomentum"
  | "linearWeightAdam"
> = {
  linearForward(x, w, bias, gate, h, y, n, k, m, relu, keep, random, numbers) {
    const kernel = "linearForward";
    checkSize(kernel, "x", x, n * k);
    checkSize(kernel, "w", w, m * k);
    checkSize(kernel, "bias", bias, m);
    checkSize(kernel, "gate", gate, m);
    checkSize(kernel, "h", h, n * m);
    checkSize(kernel, "y", y, n * m);
    checkSize(kernel, "random", random, 4);
    checkSize(kernel, "numbers", numbers ?? null, m);
    checkAscending(kernel, "numbers", numbers, 2 ** 32);
    if (random !== null) checkKeep(kernel, keep);
    if (random !== null && !relu) {
      refuse(kernel, "dropout needs relu, whose zeros mark the dropped units for the backward");
    }
    if (h !== null && gate === null) {
      refuse(kernel, "h is the value before the gate, and needs one; without gate it is y");
    }
    for (let row = 0; row < n; row++) {
      for (let unit = 0; unit < m; unit++) {
        const at = row * m + unit;
        let v = dot(x, row * k, 1, w, unit * k, 1, k);
        if (bias !== null) v = Math.fround(v + bias[unit]!);
        if (relu) v = rectified(v);
        if (random !== null) v = dropped(v, row, numbers?.[unit] ?? unit, keep, random);
        if (h !== null) h[at] = v;
        y[at] = gate === null ? v : gated(v, gate[unit]!);
      }
    }
  },

  linearInputGradient(dy, w, dx, n, k, m) {
    const kernel = "linearInputGradient";
    checkSize(kernel, "dy", dy, n * m);
    checkSize(kernel, "w", w, m * k);
    checkSize(kernel, "dx", dx, n * k);
    for (let row = 0; row < n; row++) {
      for (let input = 0; input < k; input++) dx[row * k + input] = dot(dy, row * m, 1, w, input, k, m);
    }
  },

  linearWeightGradient(dy, x, dw, n, k, m) {
    const kernel = "linearWeightGradient";
    checkSize(kernel, "dy", dy, n * m);
    checkSize(kernel, "x", x, n * k);
    checkSize(kernel, "dw", dw, m * k);
    for (let unit = 0; unit < m; unit++) {
      for (let input = 0; input < k; input++) dw[unit * k + input] = dot(dy, unit, m, x, input, k, n);
    }
  },

  linearWeightUpdate(dy, x, w, lr, post, pre, locks, n, k, m) {
    const kernel = "linearWeightUpdate";
    checkUpdate(kernel, dy, x, { w }, post, pre, locks, n, k, m);
    stepByProduct(dy, x, post, pre, locks, n, k, m, sgdStep(w, lr));
  },

  linearWeightMomentum(dy, x, w, velocity, factors, nesterov, post, pre, locks, n, k, m) {
    const kernel = "linearWeightMomentum";
    checkUpdate(kernel, dy, x, { w, velocity }, post, pre, locks, n, k, m);
    checkSize(kernel, "factors", factors, 3);
    stepByProduct(dy, x, post, pre, locks, n, k, m, momentumStep(w, velocity, factors, nesterov));
  },

  linearWeightAdam(dy, x, w, mean, square, factors, post, pre, locks, n, k, m) {
    const kernel = "linearWeightAdam";
    checkUpdate(kernel, dy, x, { w, mean, square }, post, pre, locks, n, k, m);
    checkSize(kernel, "factors", factors, 8);
    stepByProduct(dy, x, post, pre, locks, n, k, m, adamStep(w, mean, square, factors));
  },
};

function checkUpdate(
  kernel: string,
  dy: Float32Array,
  x: Float32Array,
  streams: Readonly<Record<string, Float32Array | null>>,
  post: Float32Array | null,
  pre: Float32Array | null,
  locks: Uint32Array | null,
  n: number,
  k: number,
  m: number,
): void {
  checkSize(kernel, "dy", dy, n * m);
  checkSize(kernel, "x", x, n * k);
  for (const [name, array] of Object.entries(streams)) checkSize(kernel, name, array, m * k);
  checkSize(kernel, "post", post, m);
  checkSize(kernel, "pre", pre, k);
  checkSize(kernel, "locks", locks, m * lockWords(k));
  if (pre !== null && post === null) refuse(kernel, "pre needs post: the condition is 1 - min(post, pre)");
}

// Steps every free element of a weight by its gradient, softly conditioned.
function stepByProduct(
  dy: Float32Array,
  x: Float32Array,
  post: Float32Array | null,
  pre: Float32Array | null,
  locks: Uint32Array | null,
  n: number,
  k: number,
  m: number,
  step: ElementStep,
): void {
  forFreeElements(locks, m, k, (unit, input, at) => {
    let g = dot(dy, unit, m, x, input, k, n);
    if (post !== null) {
      const used = pre === null ? post[unit]! : Math.min(post[unit]!, pre[input]!);
      g = Math.fround(g * Math.fround(1 - used));
    }
    step(at, g);
  });
}
