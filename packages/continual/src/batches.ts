import { NumericError, Tensor, tidy, type Backend } from "@milliner/core";
import type { Split } from "./task.ts";

/**
 * Images of a split as a tensor [n, height, width, channels], and their labels. The caller owns the tensor.
 *
 * @throws NumericError (`NON_FINITE_DATA`) for an image with NaN or an infinity: a later layer may swallow it (relu(NaN) is 0
 *   on some backends), and then no loss would ever show it
 */
export function readBatch(
  split: Split,
  indices: Uint32Array,
  backend: Backend,
): { readonly images: Tensor; readonly labels: Int32Array } {
  const images = new Tensor([indices.length, ...split.shape], { backend });
  split.read(indices, images.data);
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
