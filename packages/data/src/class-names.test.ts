import fc from "fast-check";
import { expect, test } from "vitest";

import { parseClassNames } from "./class-names.ts";
import { DataError } from "./data-error.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["lines of Unix", "airplane\nbird\n", ["airplane", "bird"]],
  ["lines of Windows, with a byte order mark", "\uFEFFairplane\r\nbird", ["airplane", "bird"]],
  ["names with spaces and accents", "n01 tailed frog\ncanapé\n\n", ["n01 tailed frog", "canapé"]],
])("%s are read", (_, text, names) => {
  expect(parseClassNames(bytes(text), "classes.txt")).toEqual(names);
});

test.each([
  ["nothing", bytes(""), /is an empty file \(0 bytes\), not a list of class names/],
  ["a blank line between names", bytes("a\n\nb\n"), /^classes.txt line 2 is blank/],
  ["an escape sequence for terminals", bytes("a\n\u001b[2Jb\n"), /line 2 has a control character/],
  ["a zero", bytes("a\u0000b\n"), /line 1 has a control character/],
  ["bytes that are no UTF-8", new Uint8Array([0x61, 0xff, 0x0a]), /not UTF-8/],
  ["more names than a byte has labels", bytes("x\n".repeat(257)), /names 257 classes/],
])("%s is refused", (_, file, message) => {
  expect(() => parseClassNames(file, "classes.txt")).toThrowError(
    expect.objectContaining({
      name: "DataError",
      code: "BAD_CLASS_NAMES",
      message: expect.stringMatching(message),
    }),
  );
});

test("any bytes give 1 to 256 names or a DataError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (file) => {
      try {
        const names = parseClassNames(file, "classes.txt");
        expect(names.length).toBeGreaterThanOrEqual(1);
        expect(names.length).toBeLessThanOrEqual(256);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
      }
    }),
  );
});
