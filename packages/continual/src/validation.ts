import { ConfigError, type Stream } from "@milliner/core";

/** The published shares: 0.15 of the mixture's training sets; 0 where training images validate (both MNIST experiments). */
export const publishedValidationShare = 0.15;

/**
 * Sets a share of the training images aside: of the shuffled indices the first `int(share * n)` validate, the rest train.
 * With a share of 0 the training images validate themselves, and the schedule watches the training loss.
 *
 * Source: hat.md 5.1 and 5.3.
 *
 * @param stream - shuffles, at step 0
 * @throws ConfigError when share is not in [0, 1), or one of the two parts would be empty
 */
export function splitValidation(
  indices: Uint32Array,
  share: number,
  stream: Stream,
): { readonly train: Uint32Array; readonly validation: Uint32Array } {
  if (!(share >= 0 && share < 1)) {
    throw new ConfigError("BAD_VALUE", `the validation share must be from 0 up to, but not, 1; got ${share}`);
  }
  if (share === 0) return { train: indices, validation: indices };
  const shuffled = stream.permutation(indices.length).map((position) => indices[position]!);
  const count = Math.floor(share * indices.length);
  if (count === 0) {
    throw new ConfigError(
      "BAD_VALUE",
      `a validation share of ${share} leaves none of ${indices.length} images to validate with; give a larger share, or 0`,
    );
  }
  return { train: shuffled.subarray(count), validation: shuffled.subarray(0, count) };
}
