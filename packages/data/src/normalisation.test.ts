import fc from "fast-check";
import { expect, test } from "vitest";

import { measureNormalisation } from "./normalisation.ts";

const pixels = (channels: number) =>
  fc
    .integer({ min: 2, max: 40 })
    .chain((count) => fc.uint8Array({ minLength: count * channels, maxLength: count * channels }));

test("normalised pixels have mean 0 and deviation 1 in every channel that varies", () => {
  fc.assert(
    fc.property(pixels(3), (images) => {
      const { mean, std } = measureNormalisation({ images, shape: [1, 1, 3] });

      for (let channel = 0; channel < 3; channel++) {
        const values = [...images]
          .filter((_, i) => i % 3 === channel)
          .map((x) => (x / 255 - mean[channel]!) / std[channel]!);
        const average = values.reduce((sum, x) => sum + x, 0) / values.length;
        const spread = values.reduce((sum, x) => sum + x * x, 0) / values.length;
        const varies = new Set(values).size > 1;
        expect(average).toBeCloseTo(0, 10);
        expect(spread).toBeCloseTo(varies ? 1 : 0, 10);
      }
    }),
  );
});

test("the order of the pixels does not change a bit", () => {
  fc.assert(
    fc.property(pixels(1), (images) => {
      const shape = [1, 1, 1] as const;

      expect(measureNormalisation({ images, shape })).toEqual(
        measureNormalisation({ images: images.toSorted(), shape }),
      );
    }),
  );
});

test("half black and half white pixels have mean and deviation 1/2 exactly", () => {
  const images = new Uint8Array([0, 255, 255, 0]);

  expect(measureNormalisation({ images, shape: [2, 1, 1] })).toEqual({ mean: [0.5], std: [0.5] });
});

test("a channel without variation normalises to zeros, not to NaN", () => {
  const images = new Uint8Array([51, 0, 51, 255]);

  expect(measureNormalisation({ images, shape: [1, 1, 2] })).toEqual({ mean: [0.2, 0.5], std: [1, 0.5] });
});
