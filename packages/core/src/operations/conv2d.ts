import { ShapeError } from "../errors.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";

/** Pairs are [vertical, horizontal]. */
export interface Conv2dOptions {
  readonly bias?: Tensor | undefined;
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly relu?: boolean;
}

/**
 * Cross-correlation, as PyTorch's conv2d, of images [n, height, width, in] with weights [out, kernelHeight, kernelWidth,
 * in], zero padding, then the bias, then a ReLU if asked for.
 *
 * @returns [n, outHeight, outWidth, out]; the caller owns it
 * @throws ShapeError when the shapes do not fit or the kernel is larger than the padded image
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}, tape?: Tape): Tensor {
  const { bias, stride = [1, 1], padding = [0, 0], relu = false } = options;
  if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[3] !== w.shape[3]) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `conv2d takes images [n, height, width, in] and weights [out, kernelHeight, kernelWidth, in], but got ` +
        `[${x.shape.join(", ")}] and [${w.shape.join(", ")}]`,
    );
  }
  const [n, height, width, inputs] = x.shape as [number, number, number, number];
  const [outputs, kernelHeight, kernelWidth] = w.shape as [number, number, number, number];
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `conv2d: bias has shape [${bias.shape.join(", ")}], expected [${outputs}]`,
    );
  }
  const outHeight = Math.floor((height + 2 * padding[0] - kernelHeight) / stride[0]) + 1;
  const outWidth = Math.floor((width + 2 * padding[1] - kernelWidth) / stride[1]) + 1;
  if (!(outHeight >= 1 && outWidth >= 1 && padding[0] <= kernelHeight && padding[1] <= kernelWidth)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `conv2d: a ${kernelHeight} x ${kernelWidth} kernel does not fit into ${height} x ${width} pixels with padding ` +
        `${padding.join(" x ")}; the padding is at most the kernel's size`,
    );
  }
  const { backend } = x;
  const { kernels } = backend;
  const geometry = Int32Array.of(
    n,
    height,
    width,
    inputs,
    outputs,
    kernelHeight,
    kernelWidth,
    stride[0],
    stride[1],
    padding[0],
    padding[1],
  );
  const y = new Tensor([n, outHeight, outWidth, outputs], { backend });
  kernels.conv2dForward(x.data, w.data, bias?.data ?? null, y.data, geometry, relu);

  tape?.record("conv2d", bias === undefined ? [x, w] : [x, w, bias], y, (dy, sink) => {
    let dv = dy;
    if (relu) {
      dv = new Tensor(dy.shape, { backend });
      kernels.reluBackward(dy.data, y.data, dv.data);
    }
    if (bias !== undefined && sink.needs(bias)) {
      const dbias = new Tensor([outputs], { backend });
      kernels.columnSum(dv.data, dbias.data, n * outHeight * outWidth, outputs);
      sink.add(bias, dbias);
    }
    if (sink.needs(w)) {
      sink.addPending(w, {
        kind: "conv2d",
        dy: dv,
        x,
        materialise: (out) => kernels.conv2dWeightGradient(dv.data, x.data, out.data, geometry),
      });
    }
    if (sink.needs(x)) {
      const dx = new Tensor(x.shape, { backend });
      kernels.conv2dInputGradient(dv.data, w.data, dx.data, geometry);
      sink.add(x, dx);
    }
  });
  return y;
}
