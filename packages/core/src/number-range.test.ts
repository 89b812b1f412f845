import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { ConfigError } from "./errors.ts";
import { checkNumber, type NumberRange } from "./number-range.ts";

test.each<[number, NumberRange, string]>([
  [0, { above: 0 }, "x must be a number above 0, not 0"],
  [NaN, { from: 0 }, "x must be a number from 0 up, not NaN"],
  [-1, { from: 0 }, "x must be a number from 0 up, not -1"],
  [2, { from: 0, upTo: 1 }, "x must be a number from 0 up to 1, not 2"],
  [1, { from: 0, below: 1 }, "x must be a number from 0 up to, but not, 1, not 1"],
  [
    1e-320,
    { above: 0 },
    "x must be a number above 0, not 1e-320, which is 0 as the float32 that is computed with",
  ],
  [
    2 ** -127,
    { from: 0 },
    "x must be a number from 0 up, not 5.877471754111438e-39, which is 0 as the float32 that is computed with",
  ],
  [
    1e308,
    { from: 0 },
    "x must be a number from 0 up, not 1e+308, which is Infinity as the float32 that is computed with",
  ],
  [
    1 - 1e-12,
    { from: 0, below: 1 },
    "x must be a number from 0 up to, but not, 1, not 0.999999999999, which is 1 as the float32 that is computed with",
  ],
])("%d in %j: %s", (value, range, message) => {
  expect(() => checkNumber("x", value, range, "BAD_LR")).toThrow(ConfigError);
  expect(() => checkNumber("x", value, range, "BAD_LR")).toThrow(
    expect.objectContaining({ code: "BAD_LR", message }),
  );
});

test("what passes is, as a float32 with subnormals read as zero, finite, in its range, and 0 only if it was", () => {
  fc.assert(
    fc.property(fc.double(), fc.boolean(), (value, open) => {
      try {
        checkNumber("x", value, open ? { above: 0 } : { from: 0 });
      } catch {
        return;
      }
      const float = Math.fround(value);
      expect(float === 0 ? value === 0 : float >= 2 ** -126).toBe(true);
      expect(Number.isFinite(float) && (open ? float > 0 : float >= 0)).toBe(true);
    }),
    { numRuns: 1000 * inject("soak") },
  );
});
