import type { Backend } from "../../backend/backend.ts";
import { isIntact } from "../arrays.ts";
import type { Expected } from "../bounded.ts";

/** Throws an `Error` unless `holds`. */
export function check(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(message());
}

/** Throws unless `got` is `wanted`, bit for bit: +0 is not -0. */
export function checkSame(got: number, wanted: number, what: () => string): void {
  check(Object.is(got, wanted), () => `${what()} is ${sign(got)}, not ${sign(wanted)}`);
}

/** Throws unless `got` differs from `wanted` by no more than `bound`. */
export function checkNear(got: number, wanted: number, bound: number, what: () => string): void {
  check(
    Math.abs(got - wanted) <= bound,
    () => `${what()} is ${got}, not ${wanted}: off by ${Math.abs(got - wanted)}, allowed ${bound}`,
  );
}

/**
 * Throws unless each element of an output is what was expected, within its bound, and bit for bit on an exact backend; and
 * unless nothing around the output was written.
 */
export function checkOutput(
  backend: Backend,
  what: string,
  output: Float32Array,
  expected: (index: number) => Expected,
): void {
  output.forEach((got, i) => {
    const { value, error, exact } = expected(i);
    checkNear(got, value, error, () => `${what}: element ${i}`);
    if (backend.exact) checkSame(got, exact, () => `${what}: element ${i} by the single-chain rule`);
  });
  check(isIntact(output), () => `${what}: something outside of the output was written`);
}

/** Throws unless `call` throws a RangeError with code NATIVE_ARGUMENT that names `words`. */
export function checkRefused(what: string, call: () => void, ...words: readonly string[]): void {
  try {
    call();
  } catch (error) {
    // By their properties: the addon's errors are those of the realm that loaded it.
    const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
    check(
      name === "RangeError" && code === "NATIVE_ARGUMENT",
      () => `${what} throws ${String(error)}, not a RangeError with code NATIVE_ARGUMENT`,
    );
    const missing = words.filter((word) => !(error as RangeError).message.includes(word));
    check(missing.length === 0, () => `${what}: "${String(error)}" does not name ${missing.join(", ")}`);
    return;
  }
  throw new Error(`${what} is not refused`);
}

function sign(x: number): string {
  return Object.is(x, -0) ? "-0" : String(x);
}
