import type { Kernels } from "../../backend/backend.ts";
import { kernelOutputs } from "../../backend/outputs.ts";
import { Numbers } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { check, checkRefused } from "./check.ts";

const numbers = new Numbers(140);
const f = (count: number): Float32Array => numbers.floats(count);
const above0 = (count: number): Float32Array => f(count).map(Math.abs);
const u = (...values: readonly number[]): Uint32Array => Uint32Array.from(values);
const i = (...values: readonly number[]): Int32Array => Int32Array.from(values);

const random = u(1, 2, 3, 4);
const pool = i(2, 2, 2, 2);
const [pooled, convolved] = [i(1, 4, 4, 2, ...pool), i(1, 4, 4, 2, 2, 3, 3, 1, 1, 1, 1)];
const winners = i(0, 1, 4, 5, 16, 17, 20, 21); // one of every window and channel

type Calls = { readonly [K in keyof Kernels]: () => Parameters<Kernels[K]> };

/** A call of every kernel that gives it all arrays that it takes, of two elements or more each. */
const calls: Calls = {
  linearForward: () => [f(6), f(12), f(4), f(4), f(8), f(8), 2, 3, 4, true, 0.5, random, u(0, 1, 5, 9)],
  linearInputGradient: () => [f(8), f(12), f(6), 2, 3, 4],
  linearWeightGradient: () => [f(8), f(6), f(12), 2, 3, 4],
  linearWeightUpdate: () => [f(8), f(6), f(12), 0.1, f(4), f(3), u(1, 2, 3, 4), 2, 3, 4],
  linearWeightMomentum: () => [f(8), f(6), f(12), f(12), f(3), true, f(4), f(3), u(1, 2, 3, 4), 2, 3, 4],
  linearWeightAdam: () => [f(8), f(6), f(12), f(12), f(12), f(8), f(4), f(3), u(1, 2, 3, 4), 2, 3, 4],
  activationBackward: () => [f(8), f(8), f(4), f(8), f(4), f(4), 2, 4, true, 0.5],
  gateApply: () => [f(8), f(4), f(8), 2, 4],
  conv2dForward: () => [
    ...([f(32), f(36), f(2), f(8), convolved, true, f(2), f(8), 0.5, random, u(0, 3), pool] as const),
    i(9, 9, 9, 9, 9, 9, 9, 9),
  ],
  conv2dInputGradient: () => [f(32), f(36), f(32), convolved],
  conv2dWeightGradient: () => [f(32), f(32), f(36), convolved],
  conv2dWeightUpdate: () => [f(32), f(32), f(36), 0.1, u(1, 2), convolved],
  maxPool2dForward: () => [f(32), f(8), i(9, 9, 9, 9, 9, 9, 9, 9), pooled],
  maxPool2dBackward: () => [f(8), winners, f(32), pooled],
  maxPool2dActivationBackward: () => [f(8), winners, f(8), f(2), f(32), f(2), f(2), pooled, true, 0.5],
  batchNormStatistics: () => [f(8), f(4), f(4), 2, 4],
  batchNormForward: () => [f(8), f(4), above0(4), f(4), f(4), f(8), 2, 4, 0.1, true],
  batchNormBackward: () => [
    ...([f(8), f(8), f(4), above0(4), f(4), f(4), f(8), f(4), f(4), 2, 4, 0.1, true] as const),
    true,
  ],
  groupNormForward: () => [f(24), f(4), f(4), f(24), f(4), f(4), 2, 3, 4, 2, 0.1],
  groupNormInputGradient: () => [f(24), f(24), f(4), f(4), f(4), f(24), 2, 3, 4, 2],
  groupNormParameterGradient: () => [f(24), f(24), f(4), f(4), f(4), f(4), 2, 3, 4, 2],
  globalAveragePoolForward: () => [f(24), f(8), 2, 3, 4],
  globalAveragePoolBackward: () => [f(8), f(24), 2, 3, 4],
  gateForward: () => [f(4), f(4), 2, 0],
  gateBackward: () => [f(4), f(4), f(4), 2, 400, 0],
  gatherMatrix: () => [f(12), f(4), u(0, 2), u(1, 3), 3, 4],
  scatterMatrix: () => [f(4), u(0, 2), f(12), u(0, 2), u(1, 3), 3, 4],
  gatherBits: () => [u(1, 2, 3, 4, 5, 6), u(7, 8), u(0, 2), u(1, 33), 3, 40],
  crossEntropy: () => [f(8), i(3, 1), f(2), f(8), 2, 4],
  sgd: () => [f(8), f(8), 0.1, u(1, 2), 2, 4],
  momentum: () => [f(8), f(8), f(8), f(3), true, u(1, 2), 2, 4],
  adam: () => [f(8), f(8), f(8), above0(8), above0(8), u(1, 2), 2, 4],
  add: () => [f(4), f(4), f(4)],
  multiply: () => [f(4), f(4), f(4)],
  scale: () => [f(4), 2, f(4)],
  clamp: () => [f(4), -0.5, 0.5, f(4)],
  exp: () => [f(4), f(4)],
  log: () => [above0(4), f(4)],
  tanh: () => [f(4), f(4)],
  sigmoid: () => [f(4), f(4)],
  relu: () => [f(4), f(4)],
  reluBackward: () => [f(4), f(4), f(4)],
  dropout: () => [f(8), f(8), 2, 4, 0.5, random, u(0, 1, 5, 9)],
  randomBits: () => [u(0, 0, 0, 0, 0, 0, 0, 0), 2, 4, random],
  sum: () => [f(4)],
  sumSquares: () => [f(4), f(4)],
  columnSum: () => [f(8), f(4), 2, 4],
  allFinite: () => [f(4)],
};

type Elements = Float32Array | Int32Array | Uint32Array;
type Run = (...args: readonly unknown[]) => unknown;

const memories = [ArrayBuffer, SharedArrayBuffer];

export const overlapClaims: Claims = {
  "an output that shares memory with another argument is refused by every kernel, before it writes": ({
    kernels,
  }) =>
    everyPair((kernel, args, output, other, mayBe) => {
      const [written, read] = [args[output] as Elements, args[other] as Elements];
      // The other array from two elements before the output to one before its end, or at its very place.
      for (let offset = 2 - read.length; offset < written.length; offset++) {
        if (mayBe && offset === 0) continue;
        for (const Memory of memories) {
          const before = Math.max(0, -offset);
          const memory = new Memory(4 * (before + Math.max(written.length, offset + read.length)));
          const placed = args.with(output, put(memory, before, written));
          placed[other] = put(memory, before + offset, read);
          const bytes = new Uint8Array(memory).slice();
          const what = `${kernel}: argument ${other + 1} ${offset} elements behind the begin of argument ${output + 1}`;

          checkRefused(what, () => (kernels[kernel] as Run)(...placed));

          check(same(new Uint8Array(memory), bytes), () => `${what} was refused after something was written`);
        }
      }
    }),

  "an output that may be an input gives the bits of an output of its own": ({ kernels }) =>
    everyPair((kernel, args, output, other, mayBe) => {
      if (!mayBe) return;
      const apart = args.map((arg) => (isElements(arg) ? arg.slice() : arg));
      const inPlace = args.map((arg) => (isElements(arg) ? arg.slice() : arg));
      inPlace[output] = inPlace[other];

      (kernels[kernel] as Run)(...apart);
      (kernels[kernel] as Run)(...inPlace);

      for (const at of Object.keys(kernelOutputs[kernel]).map(Number)) {
        check(
          same(bytesOf(inPlace[at] as Elements), bytesOf(apart[at] as Elements)),
          () => `${kernel}: argument ${at + 1} differs where argument ${output + 1} is argument ${other + 1}`,
        );
      }
    }),

  "a kernel writes its outputs and nothing else": ({ kernels }) => {
    for (const kernel of Object.keys(calls) as (keyof Kernels)[]) {
      const args: readonly unknown[] = calls[kernel]();
      const before = args.map((arg) => (isElements(arg) ? arg.slice() : null));

      (kernels[kernel] as Run)(...args);

      const written = args.flatMap((arg, at) =>
        isElements(arg) && !same(bytesOf(arg), bytesOf(before[at]!)) ? [String(at)] : [],
      );
      const outputs = Object.keys(kernelOutputs[kernel]);
      check(
        written.join() === outputs.join(),
        () => `${kernel} writes arguments ${written.join()} (from 0), not ${outputs.join()}`,
      );
    }
  },
};

function everyPair(
  visit: (
    kernel: keyof Kernels,
    args: readonly unknown[],
    output: number,
    other: number,
    mayBe: boolean,
  ) => void,
): void {
  for (const kernel of Object.keys(calls) as (keyof Kernels)[]) {
    const args: readonly unknown[] = calls[kernel]();
    for (const [output, mayBe] of Object.entries(kernelOutputs[kernel])) {
      for (const [other, arg] of args.entries()) {
        if (other !== Number(output) && isElements(arg))
          visit(kernel, args, Number(output), other, mayBe.includes(other));
      }
    }
  }
}

function put<A extends Elements>(memory: ArrayBufferLike, at: number, values: A): A {
  const view = new (values.constructor as new (...args: unknown[]) => A)(memory, 4 * at, values.length);
  view.set(values);
  return view;
}

function isElements(value: unknown): value is Elements {
  return ArrayBuffer.isView(value);
}

function bytesOf({ buffer, byteOffset, byteLength }: Elements): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
