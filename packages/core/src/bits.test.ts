import fc from "fast-check";
import { expect, test } from "vitest";
import { Bits } from "./bits.ts";

const pattern = fc.array(fc.boolean(), { maxLength: 100 });

test("get, count, indices and toFloats tell the same story, across word borders", () => {
  fc.assert(
    fc.property(pattern, (wanted) => {
      const bits = Bits.from(wanted.length, (i) => wanted[i]!);

      expect(wanted.map((_, i) => bits.get(i))).toEqual(wanted);
      expect(bits.count()).toBe(wanted.filter(Boolean).length);
      expect([...bits.indices()]).toEqual(wanted.flatMap((one, i) => (one ? [i] : [])));
      expect([...bits.toFloats()]).toEqual(wanted.map(Number));
    }),
  );
});

test("set changes one bit and no other", () => {
  for (const at of [0, 1, 31, 32, 63, 64]) {
    const bits = new Bits(65);
    bits.set(at, true);
    expect([...bits.indices()]).toEqual([at]);
    bits.set(at, false);
    expect(bits.count()).toBe(0);
  }
});

test("bits behind the length stay 0, so words can be compared and hashed", () => {
  for (const length of [0, 1, 31, 32, 33]) {
    const bits = Bits.ones(length);

    expect(bits.count()).toBe(length);
    expect([...bits.words].reduce((sum, word) => sum + word, 0)).toBe(
      length <= 32 ? 2 ** length - 1 : 2 ** 32 - 1 + 2 ** (length - 32) - 1,
    );
  }
});

test("or is the union and leaves both as they were", () => {
  fc.assert(
    fc.property(pattern, fc.nat(), (wanted, shift) => {
      const n = wanted.length;
      const a = Bits.from(n, (i) => wanted[i]!);
      const b = Bits.from(n, (i) => wanted[(i + shift) % n]!);

      const union = a.or(b);

      for (let i = 0; i < n; i++) expect(union.get(i)).toBe(wanted[i]! || wanted[(i + shift) % n]!);
      expect(wanted.map((_, i) => a.get(i))).toEqual(wanted);
    }),
  );
});

test("a clone does not share its words", () => {
  const bits = new Bits(40);
  const copy = bits.clone();

  copy.set(39, true);

  expect(bits.count()).toBe(0);
  expect(copy.count()).toBe(1);
});

test("words that are too many or too few, and a union of two lengths, are refused with the numbers", () => {
  expect(() => new Bits(33, new Uint32Array(1))).toThrow("33 bits are not 1 words");
  expect(() => new Bits(33).or(new Bits(34))).toThrow("33 and 34");
});
