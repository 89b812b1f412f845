import { expect, test } from "vitest";
import { ConfigError, Stream } from "@milliner/core";
import { splitValidation } from "./validation.ts";

const indices = Uint32Array.from({ length: 41 }, (_, i) => 100 + 3 * i);
const stream = (seed = 1): Stream => new Stream(seed, "validation/0");
const sorted = (...parts: Uint32Array[]): number[] =>
  parts.flatMap((part) => [...part]).sort((a, b) => a - b);

test("the two parts are disjoint and together the whole; int(share n) images validate", () => {
  for (const share of [0.05, 0.15, 0.5, 0.99]) {
    const { train, validation } = splitValidation(indices, share, stream());

    expect(validation).toHaveLength(Math.floor(share * indices.length));
    expect(sorted(train, validation)).toEqual([...indices]);
  }
});

test("the same seed cuts the same way, another one differently", () => {
  const once = splitValidation(indices, 0.15, stream());

  expect(splitValidation(indices, 0.15, stream())).toEqual(once);
  expect(splitValidation(indices, 0.15, stream(2)).validation).not.toEqual(once.validation);
});

test("with a share of 0 the training images validate themselves, in their order", () => {
  const { train, validation } = splitValidation(indices, 0, stream());

  expect(train).toEqual(indices);
  expect(validation).toEqual(indices);
});

test.each([-0.1, 1, NaN, Infinity])("a share of %d is refused", (share) => {
  expect(() => splitValidation(indices, share, stream())).toThrow(ConfigError);
  expect(() => splitValidation(indices, share, stream())).toThrow(String(share));
});

test("a share that leaves nothing to validate with is refused with the numbers", () => {
  expect(() => splitValidation(indices.subarray(0, 4), 0.2, stream())).toThrow(
    /0\.2 leaves none of 4 images/,
  );
});
