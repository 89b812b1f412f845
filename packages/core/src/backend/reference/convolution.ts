import type { Kernels } from "../backend.ts";
import { gated } from "./activation.ts";
import { checkKeep, checkSize, refuse } from "./argument.ts";
import { dropped } from "./dropout.ts";
import { rectified } from "./elementwise.ts";
import { checkAscending } from "./gather.ts";
import { isLockedBit, lockWords } from "./optimizer-step.ts";
import { poolingKernels } from "./pooling.ts";

interface Geometry {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly padY: number;
  readonly padX: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

function geometryOf(
  kernel: string,
  geometry: Int32Array,
  x: Float32Array,
  w: Float32Array,
  y: Float32Array | null,
): Geometry {
  checkSize(kernel, "geometry", geometry, 11);
  geometry.forEach((size, i) => {
    const least = i >= 5 && i <= 8 ? 1 : 0;
    if (size < least) refuse(kernel, `geometry[${i}] is ${size}, and must be ${least} or more`);
  });
  const [n, height, width, inputs, outputs, kernelHeight, kernelWidth, strideY, strideX, padY, padX] =
    geometry as unknown as readonly [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
  if (height + 2 * padY < kernelHeight || width + 2 * padX < kernelWidth) {
    refuse(
      kernel,
      `a kernel of ${kernelHeight} x ${kernelWidth} does not fit into ${height} x ${width} with padding ${padY} x ${padX}`,
    );
  }
  const outHeight = Math.floor((height + 2 * padY - kernelHeight) / strideY) + 1;
  const outWidth = Math.floor((width + 2 * padX - kernelWidth) / strideX) + 1;
  checkSize(kernel, "the image", x, n * height * width * inputs);
  checkSize(kernel, "the weight", w, outputs * kernelHeight * kernelWidth * inputs);
  checkSize(kernel, "the output", y, n * outHeight * outWidth * outputs);
  return {
    n,
    height,
    width,
    inputs,
    outputs,
    kernelHeight,
    kernelWidth,
    strideY,
    strideX,
    padY,
    padX,
    outHeight,
    outWidth,
  };
}

// Calls visit with the indices of one pixel of x, one position of the kernel and one pixel of y for every such triple that
// meets inside the image: kernel position innermost, y ascending. Padding is never visited.
function forMeetings(g: Geometry, visit: (pixel: number, position: number, output: number) => void): void {
  for (let image = 0; image < g.n; image++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        const output = (image * g.outHeight + oy) * g.outWidth + ox;
        for (let r = 0; r < g.kernelHeight; r++) {
          const iy = oy * g.strideY + r - g.padY;
          if (iy < 0 || iy >= g.height) continue;
          for (let s = 0; s < g.kernelWidth; s++) {
            const ix = ox * g.strideX + s - g.padX;
            if (ix < 0 || ix >= g.width) continue;
            visit((image * g.height + iy) * g.width + ix, r * g.kernelWidth + s, output);
          }
        }
      }
    }
  }
}

export const convolutionKernels: Pick<
  Kernels,
  "conv2dForward" | "conv2dInputGradient" | "conv2dWeightGradient" | "conv2dWeightUpdate"
> = {
  conv2dForward(
    x,
    w,
    bias,
    y,
    geometry,
    relu,
    gate = null,
    h = null,
    keep = 1,
    random = null,
    numbers = null,
    pool = null,
    argmax = null,
  ) {
    const kernel = "conv2dForward";
    const g = geometryOf(kernel, geometry, x, w, pool === null ? y : null);
    const pixels = g.n * g.outHeight * g.outWidth;
    checkSize(kernel, "pool", pool, 4);
    if (pool === null && argmax !== null) refuse(kernel, "argmax is of the pooling, and none is given");
    checkSize(kernel, "bias", bias, g.outputs);
    checkSize(kernel, "gate", gate, g.outputs);
    checkSize(kernel, "h", h, y.length);
    checkSize(kernel, "random", random, 4);
    checkSize(kernel, "numbers", numbers, g.outputs);
    checkAscending(kernel, "numbers", numbers, 2 ** 32);
    if (random !== null) checkKeep(kernel, keep);
    if (random !== null && !relu) {
      refuse(kernel, "dropout needs relu, whose zeros mark the dropped units for the backward");
    }
    if (h !== null && gate === null) {
      refuse(kernel, "h is the value before the gate, and needs one; without gate it is y");
    }
    const positions = g.kernelHeight * g.kernelWidth;
    const sums = new Float64Array(pixels * g.outputs);
    forMeetings(g, (pixel, position, output) => {
      for (let o = 0; o < g.outputs; o++) {
        let sum = sums[output * g.outputs + o]!;
        for (let c = 0; c < g.inputs; c++) {
          sum += x[pixel * g.inputs + c]! * w[(o * positions + position) * g.inputs + c]!;
        }
        sums[output * g.outputs + o] = sum;
      }
    });
    const activated = Float32Array.from(sums, (sum, i) => {
      const [pixel, unit] = [Math.floor(i / g.outputs), i % g.outputs];
      let v = Math.fround(sum);
      if (bias !== null) v = Math.fround(v + bias[unit]!);
      if (relu) v = rectified(v);
      return random === null ? v : dropped(v, pixel, numbers?.[unit] ?? unit, keep, random);
    });
    let before = activated;
    if (pool !== null) {
      before = new Float32Array(y.length);
      const images = Int32Array.of(g.n, g.outHeight, g.outWidth, g.outputs, ...pool);
      poolingKernels.maxPool2dForward(activated, before, argmax ?? new Int32Array(y.length), images);
    }
    h?.set(before);
    y.set(gate === null ? before : before.map((v, i) => gated(v, gate[i % g.outputs]!)));
  },

  conv2dInputGradient(dy, w, dx, geometry) {
    const g = geometryOf("conv2dInputGradient", geometry, dx, w, dy);
    const positions = g.kernelHeight * g.kernelWidth;
    const sums = new Float64Array(dx.length);
    forMeetings(g, (pixel, position, output) => {
      for (let c = 0; c < g.inputs; c++) {
        let sum = sums[pixel * g.inputs + c]!;
        for (let o = 0; o < g.outputs; o++) {
          sum += dy[output * g.outputs + o]! * w[(o * positions + position) * g.inputs + c]!;
        }
        sums[pixel * g.inputs + c] = sum;
      }
    });
    dx.set(sums);
  },

  conv2dWeightGradient(dy, x, dw, geometry) {
    dw.set(weightGradient(geometryOf("conv2dWeightGradient", geometry, x, dw, dy), dy, x));
  },

  conv2dWeightUpdate(dy, x, w, lr, locks, geometry) {
    const g = geometryOf("conv2dWeightUpdate", geometry, x, w, dy);
    const columns = g.kernelHeight * g.kernelWidth * g.inputs;
    checkSize("conv2dWeightUpdate", "locks", locks, g.outputs * lockWords(columns));
    const step = Math.fround(lr);
    weightGradient(g, dy, x).forEach((sum, at) => {
      if (locks !== null && isLockedBit(locks, columns, Math.floor(at / columns), at % columns)) return;
      w[at] = w[at]! - step * Math.fround(sum);
    });
  },
};

function weightGradient(g: Geometry, dy: Float32Array, x: Float32Array): Float64Array {
  const positions = g.kernelHeight * g.kernelWidth;
  const sums = new Float64Array(g.outputs * positions * g.inputs);
  forMeetings(g, (pixel, position, output) => {
    for (let o = 0; o < g.outputs; o++) {
      const d = dy[output * g.outputs + o]!;
      for (let c = 0; c < g.inputs; c++) {
        const at = (o * positions + position) * g.inputs + c;
        sums[at] = sums[at]! + d * x[pixel * g.inputs + c]!;
      }
    }
  });
  return sums;
}
