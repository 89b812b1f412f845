import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { availableBackends } from "./backend/registry.ts";
import { philoxBlock, Stream } from "./philox.ts";

// Known answers of Random123's kat_vectors for philox4x32-10: counter, key, words.
const knownAnswers = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const;

test("gives the known answers of Random123", () => {
  for (const [[c0, c1, c2, c3], [k0, k1], words] of knownAnswers) {
    const out = new Uint32Array(4);

    philoxBlock(out, 0, c0, c1, c2, c3, k0, k1);

    expect([...out]).toEqual(words);
  }
});

describe.each(availableBackends())("on $name", (backend) => {
  test("the kernels' words are those of the known answers where a counter can say so", () => {
    // Unit 0 of row 0 is block (0, 0, step, stream).
    const out = new Uint32Array(4);

    backend.kernels.randomBits(out, 1, 4, Uint32Array.of(0, 0, 0, 0));

    expect([...out]).toEqual(knownAnswers[0][2]);
  });

  test("the kernels' words are those of the stream, for any seed, step and row", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 50),
        fc.string(),
        fc.nat(2 ** 31),
        fc.integer({ min: 1, max: 19 }),
        (seed, name, step, units) => {
          const stream = new Stream(seed, name);
          const out = new Uint32Array(3 * units);

          backend.kernels.randomBits(out, 3, units, stream.key(step));

          for (let row = 0; row < 3; row++) {
            expect([...out.subarray(row * units, (row + 1) * units)]).toEqual([
              ...stream.words(units, step, row),
            ]);
          }
        },
      ),
    );
  });
});

test("a word depends on seed, name, step and row, and on nothing else", () => {
  const word = (seed: number, name: string, step: number, row: number): number =>
    new Stream(seed, name).words(3, step, row)[2]!;
  const first = word(1, "a", 2, 3);

  expect(new Stream(1, "a").words(100, 2, 3)[2]).toBe(first);
  for (const other of [word(2, "a", 2, 3), word(1, "b", 2, 3), word(1, "a", 3, 3), word(1, "a", 2, 4)]) {
    expect(other).not.toBe(first);
  }
  expect(word(1 + 2 ** 32, "a", 2, 3), "the upper half of the seed counts").not.toBe(first);
});

test("uniform numbers fill their interval evenly", () => {
  const numbers = new Stream(5, "uniform").uniform(100_000, -2, 6);

  const inTenths = Array.from({ length: 10 }, () => 0);
  for (const v of numbers) inTenths[Math.floor((v + 2) / 0.8)]!++;
  // Five standard deviations of a binomial with p = 1/10: 5 sqrt(9000) = 474.
  for (const count of inTenths) expect(Math.abs(count - 10_000)).toBeLessThan(474);
});

test("normal numbers have the mean, the deviation and the tails of a normal distribution", () => {
  const count = 100_000;
  const numbers = new Stream(6, "normal").normal(count, 3, 2);

  const mean = numbers.reduce((sum, v) => sum + v, 0) / count;
  const deviation = Math.sqrt(numbers.reduce((sum, v) => sum + (v - mean) ** 2, 0) / count);
  const beyondTwo = numbers.filter((v) => Math.abs(v - 3) > 4).length / count;
  expect(Math.abs(mean - 3)).toBeLessThan((5 * 2) / Math.sqrt(count));
  expect(Math.abs(deviation - 2)).toBeLessThan((5 * 2) / Math.sqrt(2 * count));
  expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan(5 * Math.sqrt((0.0455 * 0.9545) / count));
});

test("a permutation has every index once, and each element comes everywhere", () => {
  for (const count of [0, 1, 2, 257]) {
    const order = new Stream(7, "order").permutation(count);
    expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  }
  const places = new Set(
    Array.from({ length: 200 }, (_, step) => new Stream(7, "order").permutation(6, step).indexOf(0)),
  );
  expect(places.size).toBe(6);
});

const noWholeNumbers: readonly unknown[] = [0.3, NaN, Infinity, -1, null, undefined, "abc", "7", [7], true];

test.each([...noWholeNumbers, 2 ** 53])(
  "a seed of %o is refused: it would draw what another seed draws",
  (seed) => {
    const make = (): unknown => new Stream(seed as number, "a");

    expect(make).toThrow(expect.objectContaining({ name: "ConfigError", code: "BAD_VALUE" }));
    expect(make).toThrow(`seed must be a whole number from 0 to 9007199254740991, not ${String(seed)}`);
  },
);

test.each([...noWholeNumbers.filter((step) => step !== undefined), 2 ** 32])(
  "and so is a step or a row of %o",
  (of) => {
    const stream = new Stream(1, "a");
    const [step, row] = [of as number, of as number];

    for (const draw of [
      () => stream.key(step),
      () => stream.words(4, step),
      () => stream.words(4, 0, row),
      () => stream.uniform(4, 0, 1, step),
      () => stream.normal(4, 0, 1, step),
      () => stream.permutation(4, step),
    ])
      expect(draw).toThrow(expect.objectContaining({ code: "BAD_VALUE" }));
  },
);

test("the greatest seed and the greatest step are numbers of their own", () => {
  const words = (seed: number, step: number): readonly number[] => [...new Stream(seed, "a").words(4, step)];

  expect(words(2 ** 53 - 1, 0)).not.toEqual(words(2 ** 53 - 2, 0));
  expect(words(0, 2 ** 32 - 1)).not.toEqual(words(0, 2 ** 32 - 2));
});
