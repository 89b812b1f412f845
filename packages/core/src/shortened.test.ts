import { expect, test } from "vitest";
import { shortened } from "./shortened.ts";

test("a long name is cut, in whole characters, and a short one is not", () => {
  expect(shortened("🎩".repeat(41))).toBe(`${"🎩".repeat(37)}...`);
  expect(shortened("🎩".repeat(40))).toBe("🎩".repeat(40));
  expect(shortened("a cat on a hat", 6, "…")).toBe("a cat…");
});

test("control characters are shown by number, and count as what is shown of them", () => {
  expect(shortened("a\u001b[2J", 10)).toBe("a\\u{1b}[2J");
  expect(shortened("a\u001b[2Jb", 10)).toBe("a\\u{1b}...");
});
