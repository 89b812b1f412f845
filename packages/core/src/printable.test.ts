import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test("control characters, line separators and marks of direction are shown by number, all else as itself", () => {
  expect(printable("a\u001b[31m\u009b\u2028\u2066\ud800é漢🎩")).toBe(
    "a\\u{1b}[31m\\u{9b}\\u{2028}\\u{2066}\\u{d800}é漢🎩",
  );
});

test("what has neither ink nor width is shown by number, so that no two names look alike; what joins letters and emoji stays", () => {
  expect(printable("cat\u200b soft\u00adhat \u2060\u2063")).toBe(
    "cat\\u{200b} soft\\u{ad}hat \\u{2060}\\u{2063}",
  );
  expect(printable("👩\u200d🎨 می\u200cخواهم")).toBe("👩\u200d🎨 می\u200cخواهم");
});
