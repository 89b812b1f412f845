import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "./formats/safetensors.ts";
import { tidy } from "./memory.ts";
import { isTypedArray } from "./typed-array.ts";

/** A value of another realm, as code under Jest has them. */
const elsewhere = (code: string): unknown => runInNewContext(code);

test("an array is of its kind in whichever realm it was made, and of no other", () => {
  for (const array of [new Float32Array(2), elsewhere("new Float32Array(2)")]) {
    expect(isTypedArray(array, "Float32Array")).toBe(true);
    expect(isTypedArray(array, "Uint32Array")).toBe(false);
  }
  for (const other of [elsewhere("new ArrayBuffer(8)"), [1, 2], "Float32Array", null, undefined])
    expect(isTypedArray(other, "Float32Array")).toBe(false);
  expect(isTypedArray(Buffer.alloc(2), "Uint8Array")).toBe(true);
});

test("an array of another realm is saved as one of this", () => {
  const data = elsewhere("Float32Array.of(1, -0, NaN)") as Float32Array;
  const bytes = writeSafetensors(new Map([["w", { dtype: "F32", shape: [3], data }]]));

  expect(readSafetensors(bytes, "w").tensors.get("w")!.data).toEqual(Float32Array.of(1, -0, NaN));
});

test("a promise of another realm is refused by tidy as one of this", () => {
  expect(() => tidy(() => elsewhere("(async () => 1)()"))).toThrow("takes a synchronous function");
});
