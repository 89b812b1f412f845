import type { ImageSet } from "./dataset.ts";

/** Mean and standard deviation of each channel, of pixels scaled to 0..1. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Measures what `(x / 255 - mean) / std` needs to bring every channel of a set to mean 0 and deviation 1.
 *
 *     mean = S1 / (255 N)      std = sqrt(N S2 - S1^2) / (255 N)      S1 = sum x, S2 = sum x^2, x in 0..255
 *
 * The sums are exact integers and each result is rounded at the end only, so it depends on the pixels and not
 * on their order: the same bits on every machine. `std` is the deviation of the population (divided by N, not
 * N - 1), as in the tables of `hat.md` 5.1.
 *
 * A channel in which all pixels are equal has no deviation to divide by; its `std` is 1, so that it
 * normalises to zeros and not to NaN.
 *
 * @param set - images, usually the training set
 * @returns one mean and one std per channel
 */
export function measureNormalisation(set: Pick<ImageSet, "images" | "shape">): Normalisation {
  const { images } = set;
  const channels = set.shape[2];
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    // Counting values first leaves one addition per pixel; the counts are exact, being far below 2^53.
    const counts = new Float64Array(256);
    for (let i = channel; i < images.length; i += channels) counts[images[i]!]!++;
    let n = 0n;
    let sum = 0n;
    let squares = 0n;
    counts.forEach((count, value) => {
      const times = BigInt(count);
      n += times;
      sum += times * BigInt(value);
      squares += times * BigInt(value * value);
    });
    const scale = 255 * Number(n);
    const spread = n * squares - sum * sum; // beyond 2^53 for large sets, hence the big integers
    mean.push(Number(sum) / scale);
    std.push(spread === 0n ? 1 : Math.sqrt(Number(spread)) / scale);
  }
  return { mean, std };
}
