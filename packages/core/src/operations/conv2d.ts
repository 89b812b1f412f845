import { ShapeError } from "../errors.ts";
import { checkKeys, type OptionKeys } from "../option-keys.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { dropoutKey, linearKeys, type LinearOptions } from "./linear.ts";
import { checkOneBackend } from "./one-backend.ts";
import { integersOf, pooledShape } from "./max-pool2d.ts";

/**
 * Pairs are [vertical, horizontal]. Bias, ReLU, dropout and gate follow each other as behind a linear layer, with channels
 * for units; dropout counts the pixels of the output as rows.
 */
export interface Conv2dOptions extends LinearOptions {
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  /** Max pooling between dropout and the gate, as `maxPool2d`. */
  readonly pool?: Pooling | undefined;
}

const conv2dKeys: OptionKeys<Conv2dOptions> = { ...linearKeys, stride: true, padding: true, pool: true };

/** Windows that do not overlap: no stride is smaller than its side of the kernel. */
export interface Pooling {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
}

/** Whether neighbouring windows share pixels. */
export function overlaps({ kernel, stride }: Pooling): boolean {
  return stride[0] < kernel[0] || stride[1] < kernel[1];
}

/**
 * Cross-correlation, as PyTorch's conv2d, of images [n, height, width, in] with weights [out, kernelHeight, kernelWidth,
 * in], zero padding, then the bias, and if asked for a ReLU, dropout, max pooling and the channels' gate, in one pass: what is
 * pooled is never written.
 *
 * @returns [n, outHeight, outWidth, out], or as many windows as pooling has; the caller owns it
 * @throws ShapeError when the shapes do not fit, the kernel is larger than the padded image, or windows overlap or are larger than
 *   the output
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}, tape?: Tape): Tensor {
  checkKeys("conv2d", options, conv2dKeys);
  const { bias, stride = [1, 1], padding = [0, 0], relu = false, dropout, gate, pool } = options;
  if (x.shape.length !== 4 || w.shape.length !== 4 || x.shape[3] !== w.shape[3]) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `conv2d takes images [n, height, width, in] and weights [out, kernelHeight, kernelWidth, in], but got ` +
        `[${x.shape.join(", ")}] and [${w.shape.join(", ")}]`,
    );
  }
  const [n, height, width, inputs] = x.shape as [number, number, number, number];
  const [outputs, kernelHeight, kernelWidth] = w.shape as [number, number, number, number];
  for (const [what, t] of [
    ["bias", bias],
    ["gate", gate],
  ] as const) {
    if (t !== undefined && (t.shape.length !== 1 || t.shape[0] !== outputs)) {
      throw new ShapeError(
        "SHAPE_MISMATCH",
        `conv2d: ${what} has shape [${t.shape.join(", ")}], expected [${outputs}]`,
      );
    }
  }
  checkOneBackend("conv2d", x, w, bias, gate);
  if (dropout !== undefined && !relu) {
    throw new ShapeError("UNSUPPORTED", "conv2d applies dropout only behind a ReLU");
  }
  if (pool !== undefined && overlaps(pool)) {
    throw new ShapeError(
      "UNSUPPORTED",
      "conv2d pools only windows that do not overlap; maxPool2d takes others",
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
  const recording =
    tape !== undefined && [x, w, bias, gate].some((input) => input !== undefined && tape.tracks(input));
  const images = [n, outHeight, outWidth, outputs];
  const shape = pool === undefined ? images : pooledShape("conv2d's pool", images, pool.kernel, pool.stride);
  const y = new Tensor(shape, { backend });
  const positions = pool !== undefined && recording ? new Tensor(y.shape, { backend }) : undefined;
  // The gate's gradient and the ReLU's mask need the value before the gate.
  const h = gate !== undefined && recording ? new Tensor(y.shape, { backend }) : undefined;
  const data = (t: Tensor | undefined): Float32Array | null => t?.data ?? null;
  const keep = dropout?.keep ?? 1;
  const random = dropout === undefined ? null : dropoutKey(dropout);
  kernels.conv2dForward(
    x.data,
    w.data,
    data(bias),
    y.data,
    geometry,
    relu,
    data(gate),
    data(h),
    keep,
    random,
    dropout?.numbers,
    pool === undefined ? null : Int32Array.of(...pool.kernel, ...pool.stride),
    positions && integersOf(positions),
  );

  const leaves = [x, w, bias, gate].filter((input) => input !== undefined);
  tape?.record("conv2d", leaves, y, (dy, sink) => {
    const dbias = bias !== undefined && sink.needs(bias) ? new Tensor([outputs], { backend }) : undefined;
    const dgate = gate !== undefined && sink.needs(gate) ? new Tensor([outputs], { backend }) : undefined;
    const pixels = n * outHeight * outWidth;
    let dv = dy;
    if (pool !== undefined) {
      dv = new Tensor(images, { backend });
      kernels.maxPool2dActivationBackward(
        dy.data,
        integersOf(positions!),
        (h ?? y).data,
        data(gate),
        dv.data,
        data(dgate),
        data(dbias),
        Int32Array.of(...images, ...pool.kernel, ...pool.stride),
        relu,
        keep,
      );
    } else if (relu || gate !== undefined) {
      dv = new Tensor(dy.shape, { backend });
      kernels.activationBackward(
        dy.data,
        (h ?? y).data,
        data(gate),
        dv.data,
        data(dgate),
        data(dbias),
        pixels,
        outputs,
        relu,
        keep,
      );
    } else if (dbias !== undefined) {
      kernels.columnSum(dy.data, dbias.data, pixels, outputs);
    }
    if (bias !== undefined && dbias !== undefined) sink.add(bias, dbias);
    if (gate !== undefined && dgate !== undefined) sink.add(gate, dgate);
    if (sink.needs(w)) {
      sink.addPending(w, {
        kind: "conv2d",
        geometry,
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
