import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { Tensor, type Shape } from "../tensor.ts";

type Pair = readonly [number, number];

/**
 * The shape of what is pooled from images of this shape; windows that do not fit are dropped.
 * @throws ShapeError when it is no batch of images or the window is larger than the image
 */
export function pooledShape(operation: string, images: Shape, kernel: Pair, stride: Pair): Shape {
  const [n, height, width, channels] = images as [number, number, number, number];
  if (images.length !== 4 || !(height >= kernel[0] && width >= kernel[1])) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `${operation} takes images [n, height, width, channels] of at least ${kernel[0]} x ${kernel[1]} pixels, but got ` +
        `[${images.join(", ")}]`,
    );
  }
  const outHeight = Math.floor((height - kernel[0]) / stride[0]) + 1;
  const outWidth = Math.floor((width - kernel[1]) / stride[1]) + 1;
  return [n, outHeight, outWidth, channels];
}

/** The positions of the maxima are as large as y: a tensor's memory, read as integers. */
export function integersOf(positions: Tensor): Int32Array {
  return new Int32Array(positions.data.buffer, positions.data.byteOffset, positions.data.length);
}

/**
 * Maximum over windows of images [n, height, width, channels], without padding; windows that do not fit are dropped. On a
 * tie the first in row-major order is the maximum, for the value and for the gradient.
 *
 * @throws ShapeError when x is not a batch of images or the window is larger than the image
 */
export function maxPool2d(x: Tensor, kernel: Pair, stride: Pair = kernel, tape?: Tape): Tensor {
  const { backend } = x;
  const y = new Tensor(pooledShape("maxPool2d", x.shape, kernel, stride), { backend });
  const geometry = Int32Array.of(...x.shape, ...kernel, ...stride);
  const positions = new Tensor(y.shape, { backend });
  backend.kernels.maxPool2dForward(x.data, y.data, integersOf(positions), geometry);
  if (tape?.tracks(x) !== true) positions.dispose();
  tape?.record("maxPool2d", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend });
    backend.kernels.maxPool2dBackward(dy.data, integersOf(positions), dx.data, geometry);
    sink.add(x, dx);
  });
  return y;
}
