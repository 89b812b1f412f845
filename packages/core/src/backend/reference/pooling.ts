import type { Kernels } from "../backend.ts";
import { activationKernels } from "./activation.ts";
import { checkKeep, checkSize, refuse } from "./argument.ts";

interface Geometry {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

function geometryOf(
  kernel: string,
  geometry: Int32Array,
  x: Float32Array,
  y: Float32Array,
  argmax: Int32Array,
): Geometry {
  checkSize(kernel, "geometry", geometry, 8);
  geometry.forEach((size, i) => {
    const least = i >= 4 ? 1 : 0;
    if (size < least) refuse(kernel, `geometry[${i}] is ${size}, and must be ${least} or more`);
  });
  const [n, height, width, channels, kernelHeight, kernelWidth, strideY, strideX] =
    geometry as unknown as readonly [number, number, number, number, number, number, number, number];
  if (height < kernelHeight || width < kernelWidth) {
    refuse(kernel, `a window of ${kernelHeight} x ${kernelWidth} does not fit into ${height} x ${width}`);
  }
  const outHeight = Math.floor((height - kernelHeight) / strideY) + 1;
  const outWidth = Math.floor((width - kernelWidth) / strideX) + 1;
  checkSize(kernel, "the image", x, n * height * width * channels);
  checkSize(kernel, "the output", y, n * outHeight * outWidth * channels);
  checkSize(kernel, "argmax", argmax, n * outHeight * outWidth * channels);
  return { n, height, width, channels, kernelHeight, kernelWidth, strideY, strideX, outHeight, outWidth };
}

function checkPositions(kernel: string, positions: number): void {
  if (!(positions >= 1)) refuse(kernel, `positions is ${positions}, and must be 1 or more`);
}

export const poolingKernels: Pick<
  Kernels,
  | "maxPool2dForward"
  | "maxPool2dBackward"
  | "maxPool2dActivationBackward"
  | "globalAveragePoolForward"
  | "globalAveragePoolBackward"
> = {
  maxPool2dForward(x, y, argmax, geometry) {
    const g = geometryOf("maxPool2dForward", geometry, x, y, argmax);
    let output = 0;
    for (let image = 0; image < g.n; image++) {
      const from = image * g.height * g.width * g.channels;
      for (let oy = 0; oy < g.outHeight; oy++) {
        for (let ox = 0; ox < g.outWidth; ox++) {
          for (let channel = 0; channel < g.channels; channel++) {
            const corner = (oy * g.strideY * g.width + ox * g.strideX) * g.channels + channel;
            let best = corner;
            for (let r = 0; r < g.kernelHeight; r++) {
              for (let s = 0; s < g.kernelWidth; s++) {
                const at = corner + (r * g.width + s) * g.channels;
                const v = x[from + at]!;
                if (v > x[from + best]! || Number.isNaN(v)) best = at; // a NaN wins, so that it does not vanish here
              }
            }
            y[output] = x[from + best]!;
            argmax[output] = best;
            output++;
          }
        }
      }
    }
  },

  maxPool2dBackward(dy, argmax, dx, geometry) {
    const g = geometryOf("maxPool2dBackward", geometry, dx, dy, argmax);
    const image = g.height * g.width * g.channels;
    const pooled = g.outHeight * g.outWidth * g.channels;
    const wrong = argmax.findIndex((at) => at < 0 || at >= image);
    if (wrong >= 0) {
      refuse(
        "maxPool2dBackward",
        `argmax[${wrong}] is ${argmax[wrong]}, outside an image of ${image} elements`,
      );
    }
    dx.fill(0);
    for (let i = 0; i < dy.length; i++) {
      const at = Math.floor(i / pooled) * image + argmax[i]!;
      dx[at] = dx[at]! + dy[i]!;
    }
  },

  maxPool2dActivationBackward(dy, argmax, h, gate, dv, dgate, dbias, geometry, relu, keep) {
    const kernel = "maxPool2dActivationBackward";
    const g = geometryOf(kernel, geometry, dv, dy, argmax);
    checkSize(kernel, "h", h, dy.length);
    checkSize(kernel, "gate", gate, g.channels);
    checkSize(kernel, "dgate", dgate, g.channels);
    checkSize(kernel, "dbias", dbias, g.channels);
    checkKeep(kernel, keep);
    if (g.strideY < g.kernelHeight || g.strideX < g.kernelWidth) {
      refuse(
        kernel,
        `windows of ${g.kernelHeight} x ${g.kernelWidth} overlap with strides ${g.strideY} x ${g.strideX}`,
      );
    }
    const outputs = g.n * g.outHeight * g.outWidth;
    const du = new Float32Array(dy.length);
    activationKernels.activationBackward(dy, h, gate, du, dgate, null, outputs, g.channels, false, 1);
    // Pooling's gradient, and what was positive before it: both at the maxima alone.
    const [dh, positive] = [new Float32Array(dv.length), relu ? new Float32Array(dv.length) : null];
    poolingKernels.maxPool2dBackward(du, argmax, dh, geometry);
    if (positive !== null && h !== null) poolingKernels.maxPool2dBackward(h, argmax, positive, geometry);
    const pixels = g.n * g.height * g.width;
    activationKernels.activationBackward(dh, positive, null, dv, null, dbias, pixels, g.channels, relu, keep);
  },

  globalAveragePoolForward(x, y, n, positions, channels) {
    const kernel = "globalAveragePoolForward";
    checkPositions(kernel, positions);
    checkSize(kernel, "x", x, n * positions * channels);
    checkSize(kernel, "y", y, n * channels);
    for (let at = 0; at < y.length; at++) {
      const first = Math.floor(at / channels) * positions * channels + (at % channels);
      let sum = 0;
      for (let position = 0; position < positions; position++) sum += x[first + position * channels]!;
      y[at] = sum / positions;
    }
  },

  globalAveragePoolBackward(dy, dx, n, positions, channels) {
    const kernel = "globalAveragePoolBackward";
    checkPositions(kernel, positions);
    checkSize(kernel, "dy", dy, n * channels);
    checkSize(kernel, "dx", dx, n * positions * channels);
    for (let at = 0; at < dx.length; at++) {
      const example = Math.floor(at / (positions * channels));
      dx[at] = dy[example * channels + (at % channels)]! / positions;
    }
  },
};
