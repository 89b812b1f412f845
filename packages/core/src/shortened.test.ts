import { expect, test } from "vitest";
import { shortened } from "./shortened.ts";

test("a long name is cut, in whole characters, and a short one is not", () => {
  expect(shortened("🎩".repeat(41))).toBe(`${"🎩".repeat(37)}...`);
  expect(shortened("🎩".repeat(40))).toBe("🎩".repeat(40));
  expect(shortened("a cat on a hat", 6, "…")).toBe("a cat…");
});
