import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test("control characters, line separators and marks of direction are shown by number, all else as itself", () => {
  expect(printable("a\u001b[31m\u009b\u2028\u2066\ud800é漢🎩")).toBe(
    "a\\u{1b}[31m\\u{9b}\\u{2028}\\u{2066}\\u{d800}é漢🎩",
  );
});
