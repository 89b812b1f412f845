import type { Kernels } from "../backend.ts";
import { checkSize, refuse } from "./argument.ts";

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
  y: Float32Array,
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
  "conv2dForward" | "conv2dInputGradient" | "conv2dWeightGradient"
> = {
  conv2dForward(x, w, bias, y, geometry, relu) {
    const g = geometryOf("conv2dForward", geometry, x, w, y);
    checkSize("conv2dForward", "bias", bias, g.outputs);
    const positions = g.kernelHeight * g.kernelWidth;
    const sums = new Float64Array(y.length);
    forMeetings(g, (pixel, position, output) => {
      for (let o = 0; o < g.outputs; o++) {
        let sum = sums[output * g.outputs + o]!;
        for (let c = 0; c < g.inputs; c++) {
          sum += x[pixel * g.inputs + c]! * w[(o * positions + position) * g.inputs + c]!;
        }
        sums[output * g.outputs + o] = sum;
      }
    });
    for (let i = 0; i < y.length; i++) {
      const product = Math.fround(sums[i]!);
      const v = bias === null ? product : Math.fround(product + bias[i % g.outputs]!);
      y[i] = relu && !(v > 0) ? 0 : v;
    }
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
    const g = geometryOf("conv2dWeightGradient", geometry, x, dw, dy);
    const positions = g.kernelHeight * g.kernelWidth;
    const sums = new Float64Array(dw.length);
    forMeetings(g, (pixel, position, output) => {
      for (let o = 0; o < g.outputs; o++) {
        const d = dy[output * g.outputs + o]!;
        for (let c = 0; c < g.inputs; c++) {
          const at = (o * positions + position) * g.inputs + c;
          sums[at] = sums[at]! + d * x[pixel * g.inputs + c]!;
        }
      }
    });
    dw.set(sums);
  },
};
