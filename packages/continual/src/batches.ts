import { types } from "node:util";
import { ConfigError, NumericError, Tensor, tidy, type Backend } from "@milliner/core";
import { brief } from "./stored-json.ts";
import type { Split } from "./task.ts";

// A NaN that no arithmetic makes: what still has these bits has not been written.
const unwritten = 0x7fed_face;

// The most images that a split has written at once.
const written = new WeakMap<Split, number>();

/**
 * Has a split write images, one after the other, to `into`. It is held to its contract, for what it leaves out would be whatever lies
 * in memory: to every value whenever more images are asked for than it has written before, and then to the last one of each.
 *
 * @throws ConfigError (`BAD_SPLIT`) when it leaves an element of `into` as it is, or answers with something else: it writes at once
 */
export function readImages(split: Split, positions: ArrayLike<number>, into: Float32Array): void {
  const isUnproven = positions.length > (written.get(split) ?? 0);
  const words = new Uint32Array(into.buffer, into.byteOffset, into.length);
  const size = into.length / positions.length;
  const step = isUnproven ? 1 : size;
  for (let at = step - 1; at < words.length; at += step) words[at] = unwritten;
  const answer: unknown = split.read(positions, into);
  if (answer !== undefined && answer !== into) {
    const what = types.isPromise(answer) ? "a promise" : brief(answer);
    throw new ConfigError(
      "BAD_SPLIT",
      `read of the split returned ${what}; it writes the images to its second argument before it returns, and returns nothing`,
    );
  }
  for (let at = step - 1; at < words.length; at += step) {
    if (words[at] !== unwritten) continue;
    throw new ConfigError(
      "BAD_SPLIT",
      `read of the split was asked for ${positions.length} ${positions.length === 1 ? "image" : "images"} and has not written ` +
        `value ${at % size} of image ${positions[Math.floor(at / size)]}; it writes every element of its second argument`,
    );
  }
  if (isUnproven) written.set(split, positions.length);
}

/**
 * Images of a split as a tensor [n, height, width, channels], and their labels. The caller owns the tensor.
 *
 * @throws NumericError (`NON_FINITE_DATA`) for an image with NaN or an infinity: a later layer may swallow it (relu(NaN) is 0
 *   on some backends), and then no loss would ever show it
 * @throws ConfigError (`BAD_SPLIT`) as `readImages`
 */
export function readBatch(
  split: Split,
  indices: Uint32Array,
  backend: Backend,
): { readonly images: Tensor; readonly labels: Int32Array } {
  const images = new Tensor([indices.length, ...split.shape], { backend });
  try {
    readImages(split, indices, images.data);
  } catch (error) {
    images.dispose();
    throw error;
  }
  if (!backend.kernels.allFinite(images.data)) {
    const wrong = images.data.findIndex((value) => !Number.isFinite(value));
    const found = images.data[wrong];
    const size = images.data.length / indices.length;
    images.dispose();
    throw new NumericError(
      "NON_FINITE_DATA",
      `value ${wrong % size} of image ${indices[Math.floor(wrong / size)]} is ${found}; check the data`,
    );
  }
  return { images, labels: Int32Array.from(indices, (index) => split.labels[index]!) };
}

/** Calls `visit` with the split in order, `batchSize` images at a time, inside a `tidy`. */
export function forEachBatch(
  split: Split,
  batchSize: number,
  backend: Backend,
  visit: (images: Tensor, labels: Int32Array, first: number) => void,
): void {
  for (let first = 0; first < split.size; first += batchSize) {
    const count = Math.min(batchSize, split.size - first);
    tidy(() => {
      const { images, labels } = readBatch(
        split,
        Uint32Array.from({ length: count }, (_, i) => first + i),
        backend,
      );
      visit(images, labels, first);
    });
  }
}
