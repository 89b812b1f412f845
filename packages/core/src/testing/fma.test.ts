import fc from "fast-check";
import { expect, test } from "vitest";
import { fma32 } from "./fma.ts";

// An exact fma: float32 numbers are multiples of 2^-149, so a b + c is a whole number of 2^-298, and BigInt rounds it.
function exactFma(a: number, b: number, c: number): number {
  const scaled = (x: number, places: number): bigint => {
    let [whole, left] = [x, places];
    while (!Number.isInteger(whole)) {
      whole *= 2;
      left--;
    }
    return BigInt(whole) << BigInt(left);
  };
  let value = scaled(a, 149) * scaled(b, 149) + scaled(c, 298);
  if (value === 0n) return a * b + c;
  const negative = value < 0n;
  if (negative) value = -value;
  const drop = Math.max(value.toString(2).length - 24, 149); // what is below 2^-149 does not exist
  const [quotient, rest, half] = [
    value >> BigInt(drop),
    value & ((1n << BigInt(drop)) - 1n),
    1n << BigInt(drop - 1),
  ];
  const up = rest > half || (rest === half && (quotient & 1n) === 1n);
  const magnitude = Number(quotient + (up ? 1n : 0n)) * 2 ** (drop - 298);
  return Math.fround(negative ? -magnitude : magnitude);
}

const float32 = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 60), max: 2 ** 60 });

test("rounds a b + c once", () => {
  fc.assert(
    fc.property(float32, float32, float32, (a, b, c) => {
      expect(fma32(a, b, c)).toBe(exactFma(a, b, c));
    }),
  );
});

test("rounds once where the double in between would land on a tie of float32", () => {
  // a b = 1 + 2^-23 + 2^-24 + a rest below double's last digit of the sum; rounding twice would go to even.
  const a = 1 + 2 ** -23;
  for (const c of [2 ** 24, 2 ** 25, -(2 ** 25)]) {
    for (const b of [1 - 2 ** -24, 1 + 2 ** -23, 3 + 2 ** -22, 0.5 + 2 ** -24]) {
      expect(fma32(a, b, c)).toBe(exactFma(a, b, c));
      expect(fma32(-a, b, c)).toBe(exactFma(-a, b, c));
    }
  }
  const tie = [2 ** -40 * (1 + 2 ** -23), 2 ** -40, 1 + 2 ** -23] as const;
  expect(fma32(...tie)).toBe(exactFma(...tie));
  // 1 + 2^-24 is a tie of float32, and 2^-80 more is lost in double: rounding twice gives 1.
  const lost = [2 ** -12 * (1 + 2 ** -23), 2 ** -12 * (1 - 2 ** -23 + 2 ** -24), 1] as const;
  expect(fma32(...lost)).toBe(exactFma(...lost));
});

test("infinities and NaN are IEEE 754's", () => {
  expect(fma32(Infinity, 1, 1)).toBe(Infinity);
  expect(fma32(Infinity, 0, 1)).toBeNaN();
  expect(fma32(1, 1, -Infinity)).toBe(-Infinity);
});
