import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";

/**
 * Maximum over windows of images [n, height, width, channels], without padding; windows that do not fit are dropped. On a
 * tie the first in row-major order is the maximum, for the value and for the gradient.
 *
 * @throws ShapeError when x is not a batch of images or the window is larger than the image
 */
export function maxPool2d(
  x: Tensor,
  kernel: readonly [number, number],
  stride: readonly [number, number] = kernel,
  tape?: Tape,
): Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const outHeight = Math.floor((height - kernel[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width - kernel[1]) / stride[1]) + 1;
  if (x.shape.length !== 4 || !(outHeight >= 1 && outWidth >= 1)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `maxPool2d takes images [n, height, width, channels] of at least ${kernel[0]} x ${kernel[1]} pixels, but got ` +
        `[${x.shape.join(", ")}]`,
    );
  }
  const { backend } = x;
  const geometry = Int32Array.of(n, height, width, channels, kernel[0], kernel[1], stride[0], stride[1]);
  const y = new Tensor([n, outHeight, outWidth, channels], { backend });
  // The positions of the maxima are as large as y: a tensor's memory, read as integers.
  const positions = new Tensor(y.shape, { backend });
  const argmax = new Int32Array(positions.data.buffer, positions.data.byteOffset, positions.data.length);
  backend.kernels.maxPool2dForward(x.data, y.data, argmax, geometry);
  if (tape?.tracks(x) !== true) positions.dispose();
  tape?.record("maxPool2d", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend });
    const at = new Int32Array(positions.data.buffer, positions.data.byteOffset, positions.data.length);
    backend.kernels.maxPool2dBackward(dy.data, at, dx.data, geometry);
    sink.add(x, dx);
  });
  return y;
}
