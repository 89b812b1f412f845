import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, referenceBackend, ShapeError, tensor, tidy, type Backend } from "@milliner/core";
import { gateGradient, type Compensation } from "./compensation.ts";

const backend = referenceBackend;

function gradient(e: number, s: number, rule: Compensation, sMax = 400): number {
  return tidy(() =>
    gateGradient(tensor([1], [1], { backend }), tensor([e], [1], { backend }), s, sMax, rule).item(),
  );
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const embedding = fc.float({ min: -6, max: 6, noNaN: true });
const slopes = fc.double({ min: 1 / 400, max: 400, noNaN: true });

test("equation (F): equals the paper's product (B) wherever that product is accurate", () => {
  fc.assert(
    fc.property(embedding, slopes, (e, s) => {
      fc.pre(Math.abs(s * e) <= 10); // beyond, 1 - a has lost its digits: that is why the closed form exists
      const a = sigmoid(s * e);
      const compensation = (400 * sigmoid(e) * (1 - sigmoid(e))) / (s * a * (1 - a));

      const ours = gradient(e, s, "windowed");

      expect(ours / (s * a * (1 - a) * compensation)).toBeCloseTo(1, 5); // the result is float32
    }),
  );
});

test("equation (B): its quotient of sigmoids is the quotient of cosh in (B')", () => {
  fc.assert(
    fc.property(embedding, slopes, (e, s) => {
      fc.pre(Math.abs(s * e) <= 10);
      const a = sigmoid(s * e);
      const b = (400 * sigmoid(e) * (1 - sigmoid(e))) / (s * a * (1 - a));
      const bPrime = (400 * (Math.cosh(s * e) + 1)) / (s * (Math.cosh(e) + 1));

      expect(b / bPrime).toBeCloseTo(1, 9);
    }),
  );
});

test("equation (B'): the official arithmetic is the closed form where |s e| <= 4", () => {
  fc.assert(
    fc.property(embedding, slopes, (e, s) => {
      fc.pre(Math.abs(s * e) <= 4);

      expect(gradient(e, s, "official") / gradient(e, s, "straight")).toBeCloseTo(1, 4);
    }),
  );
});

// Float32 values of the published code, e and s given: those far from s e = 16, where an ulp of exp is not amplified.
test.each([
  [0.5, 0.0025, 94.0014954],
  [1, 4, 78.6448975],
  [1, 17, 0],
  [-1, 49, 78.644783],
  [-1, 55, 0.529904306],
  [-1, 60, 0.00357046677],
  [-1, 89, 0],
  [6, 3, 0],
  [-6, 9, 0.0180702768],
])("equation (B'): the published float32 value at e = %f, s = %f is %f", (e, s, published) => {
  const ours = gradient(e, s, "official");

  if (published === 0) expect(ours).toBe(0);
  else expect(ours / published).toBeCloseTo(1, 4);
});

test("windowed is the closed form inside -50 < s e < 24 ln 2 and exactly 0 outside", () => {
  fc.assert(
    fc.property(embedding, slopes, (e, s) => {
      const x = Math.fround(Math.fround(s) * e);
      fc.pre(Math.abs(x + 50) > 1e-3 && Math.abs(x - 24 * Math.LN2) > 1e-3);
      const inside = x > -50 && x < 24 * Math.LN2;

      expect(gradient(e, s, "windowed")).toBe(inside ? gradient(e, s, "straight") : 0);
    }),
  );
});

test("bad arguments are refused by name", () => {
  const da = tensor([1, 2], [2], { backend });
  const e = tensor([1], [1], { backend });

  expect(() => gateGradient(da, e, 1, 400)).toThrow(ShapeError);
  expect(() => gateGradient(e, e, 0, 400)).toThrow(ConfigError);
  expect(() => gateGradient(e, e, 1, Infinity)).toThrow(ConfigError);
});

test("a gradient on another backend than the embeddings is refused", () => {
  const another: Backend = { ...referenceBackend, precision: "bf16" };
  tidy(() => {
    const da = tensor([1], [1], { backend: another });

    expect(() => gateGradient(da, tensor([1], [1], { backend }), 1, 400)).toThrow(
      expect.objectContaining({
        code: "MIXED_BACKENDS",
        message: expect.stringMatching(/^gateGradient computes/),
      }),
    );
  });
});
