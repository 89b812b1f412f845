import { types } from "node:util";

/**
 * [n, height, width, channels] to [n, channels, height, width]. A batch of images and the weights of a convolution, [out,
 * kernelHeight, kernelWidth, in], go the same way.
 *
 * @param values - as many as the product of `shape`
 * @returns a new array
 */
export function channelsFirst<T extends Float32Array | Uint8Array>(values: T, shape: readonly number[]): T {
  const [n = 0, height = 0, width = 0, channels = 0] = shape;
  const pixels = height * width;
  const result = (
    types.isUint8Array(values) ? new Uint8Array(values.length) : new Float32Array(values.length)
  ) as T;
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = image * pixels * channels + channel;
      for (let pixel = 0; pixel < pixels; pixel++) result[at++] = values[from + pixel * channels]!;
    }
  }
  return result;
}
