import { ConfigError, type Stream } from "@milliner/core";

/** The published shares: 0.15 of the mixture's training sets; 0 where training images validate (both MNIST experiments). */
export const publishedValidationShare = 0.15;

/**
 * Sets a share of the training images aside: of the shuffled indices the first `int(share * n)` validate, the rest train. The last
 * image of a class is passed over, for what nobody has trained on nobody can tell: a class with one image trains. With a share of
 * 0 the training images validate themselves, and the schedule watches the training loss.
 *
 * Source: hat.md 5.1 and 5.3; there every class has many images.
 *
 * @param labels - of the set that the indices point into: the class of image i is `labels[i]`
 * @param stream - shuffles, at step 0
 * @throws ConfigError when share is not in [0, 1), or one of the two parts would be empty
 */
export function splitValidation(
  indices: Uint32Array,
  share: number,
  stream: Stream,
  labels: ArrayLike<number>,
): { readonly train: Uint32Array; readonly validation: Uint32Array } {
  checkShare(share);
  if (share === 0) return { train: indices, validation: indices };
  const shuffled = stream.permutation(indices.length).map((position) => indices[position]!);
  const count = Math.floor(share * indices.length);
  if (count === 0) {
    throw new ConfigError(
      "BAD_VALUE",
      `a validation share of ${share} leaves none of ${indices.length} images to validate with; give a larger share, or 0`,
    );
  }
  const left = new Map<number, number>();
  for (const index of indices) left.set(labels[index]!, (left.get(labels[index]!) ?? 0) + 1);
  const [train, validation]: [number[], number[]] = [[], []];
  for (const index of shuffled) {
    const ofClass = left.get(labels[index]!)!;
    const validates = validation.length < count && ofClass > 1;
    (validates ? validation : train).push(index);
    if (validates) left.set(labels[index]!, ofClass - 1);
  }
  if (validation.length === 0) {
    throw new ConfigError(
      "BAD_VALUE",
      `each of ${indices.length} images is the only one of its class, and is needed to train; give a validation share of 0, or more images`,
    );
  }
  return { train: Uint32Array.from(train), validation: Uint32Array.from(validation) };
}

/** @throws ConfigError (`BAD_VALUE`) when a validation share is not in [0, 1) */
export function checkShare(share: number): void {
  if (share >= 0 && share < 1) return;
  throw new ConfigError("BAD_VALUE", `the validation share must be from 0 up to, but not, 1; got ${share}`);
}
