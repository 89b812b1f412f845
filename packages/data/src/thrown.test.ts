import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createImageSet } from "./dataset.ts";
import { errorCode, errorMessage } from "./thrown.ts";

const code = `Object.assign(new Error("no such file"), { code: "ENOENT" })`;

test("what was thrown has its code and its message in whichever realm it was made", () => {
  for (const error of [Object.assign(new Error("no such file"), { code: "ENOENT" }), runInNewContext(code)]) {
    expect(errorCode(error)).toBe("ENOENT");
    expect(errorMessage(error)).toBe("no such file");
  }
});

test.each([
  [undefined, "undefined"],
  [null, "null"],
  ["a text", "a text"],
  [7, "7"],
  [{ code: 7, message: 7 }, "[object Object]"],
])("%j has no code, and its text is its message", (thrown, text) => {
  expect(errorCode(thrown)).toBe(undefined);
  expect(errorMessage(thrown)).toBe(text);
});

test("bytes of another realm are kept as they are, and its floats are floats", () => {
  const bytes = runInNewContext("Uint8Array.of(0, 255)") as Uint8Array;
  const floats = runInNewContext("Float32Array.of(0, 1)") as Float32Array;
  const form = { shape: [1, 1, 1], count: 2 } as const;

  expect(createImageSet({ images: bytes, ...form }, [0, 1], ["a", "b"]).images).toBe(bytes);
  expect(() => createImageSet({ images: floats, ...form }, [0, 1], ["a", "b"])).toThrow(
    expect.objectContaining({ code: "UNSUPPORTED_TYPE" }),
  );
});
