import { Numbers } from "../arrays.ts";
import type { Claims } from "./case.ts";
import { checkFeeding, type Reach } from "./feeding.ts";

type Sizes = readonly [
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

// n, height, width, in, out, kernel height and width, strides, paddings: small ones, patches of few channels, and large
// enough that a backend may leave out the zeros of a gradient.
const geometries: readonly Sizes[] = [
  [2, 5, 4, 3, 5, 3, 2, 1, 1, 0, 0],
  [3, 6, 6, 1, 6, 3, 3, 1, 1, 0, 0],
  [2, 5, 4, 25, 12, 3, 3, 1, 1, 1, 1],
  [4, 5, 5, 26, 5, 2, 2, 2, 1, 0, 0],
];

const lr = 0.1;

function mostlyZero(numbers: Numbers, count: number): Float32Array {
  return numbers.floats(count).map((value) => (numbers.below(5) === 0 ? value : 0));
}

class Meetings {
  readonly outHeight: number;
  readonly outWidth: number;
  readonly #positions: number;
  // By pixel of the output and position of the kernel: the pixel of x that it sees there, or -1.
  readonly #pixels: Int32Array;
  readonly #seen: ReadonlySet<number>; // pixel of x x positions + position

  constructor(sizes: Sizes) {
    const [n, height, width, , , r, s, strideY, strideX, padY, padX] = sizes;
    this.outHeight = Math.floor((height + 2 * padY - r) / strideY) + 1;
    this.outWidth = Math.floor((width + 2 * padX - s) / strideX) + 1;
    this.#positions = r * s;
    const outputs = n * this.outHeight * this.outWidth;
    this.#pixels = Int32Array.from({ length: outputs * r * s }, (_, i) => {
      const [output, position] = [Math.floor(i / r / s), i % (r * s)];
      const [row, column] = [Math.floor(output / this.outWidth) % this.outHeight, output % this.outWidth];
      const [iy, ix] = [
        row * strideY + Math.floor(position / s) - padY,
        column * strideX + (position % s) - padX,
      ];
      const image = Math.floor(output / this.outWidth / this.outHeight);
      return iy < 0 || iy >= height || ix < 0 || ix >= width ? -1 : (image * height + iy) * width + ix;
    });
    this.#seen = new Set(Array.from(this.#pixels, (pixel, i) => pixel * r * s + (i % (r * s))));
  }

  /** Whether an output sees a pixel of x at any position of the kernel. */
  meet(pixel: number, output: number): boolean {
    return this.#pixels.subarray(output * this.#positions, (output + 1) * this.#positions).includes(pixel);
  }
  /** Whether any output sees a pixel of x at this position. */
  sees(pixel: number, position: number): boolean {
    return this.#seen.has(pixel * this.#positions + position);
  }
  /** Whether an output sees x at this position, and not padding. */
  isInside(output: number, position: number): boolean {
    return this.#pixels[output * this.#positions + position]! >= 0;
  }
}

/** The same of convolution. Where padding meets what is not finite, a backend may multiply it by 0. */
export const nonFiniteConvolutionClaims: Claims = {
  "conv2dForward passes a NaN on, behind ReLU, pooling and gate too": (backend) => {
    const numbers = new Numbers(150);
    for (const sizes of geometries) {
      for (const [relu, pools] of [
        [false, false],
        [true, false],
        [true, true],
      ] as const) {
        const [n, height, width, inputs, outputs, r, s] = sizes;
        const meetings = new Meetings(sizes);
        const { outHeight, outWidth } = meetings;
        const [pooledHeight, pooledWidth] = [Math.floor(outHeight / 2), Math.floor(outWidth / 2)];
        const size = n * outputs * (pools ? pooledHeight * pooledWidth : outHeight * outWidth);
        // The pixels of the convolution's output that make pixel `to` of y.
        const under = (to: number): readonly number[] => {
          if (!pools) return [to];
          const [row, column] = [Math.floor(to / pooledWidth) % pooledHeight, to % pooledWidth];
          const image = Math.floor(to / pooledWidth / pooledHeight);
          return [0, 1, outWidth, outWidth + 1].map(
            (step) => (image * outHeight + 2 * row) * outWidth + 2 * column + step,
          );
        };
        const gate = numbers.gates(outputs);
        checkFeeding(backend, {
          what: `conv2dForward of [${sizes.join(", ")}], relu ${relu}, pooling ${pools}`,
          inputs: {
            x: mostlyZero(numbers, n * height * width * inputs),
            w: numbers.floats(outputs * r * s * inputs),
            bias: numbers.floats(outputs),
            gate,
          },
          outputs: { h: size, y: size },
          run: (all) =>
            backend.kernels.conv2dForward(
              all.x,
              all.w,
              all.bias,
              all.y,
              Int32Array.from(sizes),
              relu,
              all.gate,
              all.h,
              1,
              null,
              null,
              pools ? Int32Array.of(2, 2, 2, 2) : null,
              pools ? new Int32Array(size) : null,
            ),
          reach: (input, at, output, to, bad): Reach => {
            const [pixel, unit] = [Math.floor(to / outputs), to % outputs];
            if (input === "gate") return output === "h" || at !== unit ? "no" : "yes";
            if (output === "y" && gate[unit] === 0) return "no";
            if (input === "x") {
              if (!under(pixel).some((one) => meetings.meet(Math.floor(at / inputs), one))) return "no";
            } else if (input === "w") {
              if (Math.floor(at / r / s / inputs) !== unit) return "no";
              const position = Math.floor(at / inputs) % (r * s);
              if (!under(pixel).some((one) => meetings.isInside(one, position))) return "maybe";
            } else if (at !== unit) return "no";
            return relu && !Number.isNaN(bad) ? "maybe" : "yes"; // ReLU takes -Infinity to 0
          },
        });
      }
    }
  },

  "conv2dInputGradient passes a NaN on, and makes one of 0 times NaN or infinity": (backend) => {
    const numbers = new Numbers(151);
    for (const sizes of geometries) {
      const [n, height, width, inputs, outputs, r, s] = sizes;
      const meetings = new Meetings(sizes);
      checkFeeding(backend, {
        what: `conv2dInputGradient of [${sizes.join(", ")}]`,
        inputs: {
          dy: mostlyZero(numbers, n * meetings.outHeight * meetings.outWidth * outputs),
          w: numbers.floats(outputs * r * s * inputs),
        },
        outputs: { dx: n * height * width * inputs },
        run: ({ dy, w, dx }) => backend.kernels.conv2dInputGradient(dy, w, dx, Int32Array.from(sizes)),
        reach: (input, at, _, to): Reach => {
          const pixel = Math.floor(to / inputs);
          if (input === "dy") return meetings.meet(pixel, Math.floor(at / outputs)) ? "yes" : "no";
          if (at % inputs !== to % inputs) return "no";
          return meetings.sees(pixel, Math.floor(at / inputs) % (r * s)) ? "yes" : "maybe";
        },
      });
    }
  },

  "conv2dWeightGradient and conv2dWeightUpdate pass a NaN on to what is not locked, and make one of 0 times NaN or infinity":
    (backend) => {
      const numbers = new Numbers(152);
      for (const sizes of geometries) {
        const [n, height, width, inputs, outputs, r, s] = sizes;
        const meetings = new Meetings(sizes);
        const [chain, geometry] = [r * s * inputs, Int32Array.from(sizes)];
        const factors = {
          dy: mostlyZero(numbers, n * meetings.outHeight * meetings.outWidth * outputs),
          x: numbers.floats(n * height * width * inputs),
        };
        const reach = (input: "dy" | "x", at: number, to: number): Reach => {
          const position = Math.floor(to / inputs) % (r * s);
          if (input === "x") {
            if (at % inputs !== to % inputs) return "no";
            return meetings.sees(Math.floor(at / inputs), position) ? "yes" : "no";
          }
          if (at % outputs !== Math.floor(to / chain)) return "no";
          return meetings.isInside(Math.floor(at / outputs), position) ? "yes" : "maybe";
        };
        checkFeeding(backend, {
          what: `conv2dWeightGradient of [${sizes.join(", ")}]`,
          inputs: factors,
          outputs: { dw: outputs * chain },
          run: ({ dy, x, dw }) => backend.kernels.conv2dWeightGradient(dy, x, dw, geometry),
          reach: (input, at, _, to) => reach(input, at, to),
        });
        for (const locks of [null, numbers.locks(outputs, chain)]) {
          const isLocked = (at: number): boolean =>
            locks !== null &&
            ((locks[Math.floor(at / chain) * Math.ceil(chain / 32) + ((at % chain) >> 5)]! >>>
              ((at % chain) & 31)) &
              1) ===
              1;
          checkFeeding<"dy" | "x" | "w", "w">(backend, {
            what: `conv2dWeightUpdate of [${sizes.join(", ")}]`,
            inputs: { ...factors, w: numbers.floats(outputs * chain) },
            outputs: {},
            run: ({ dy, x, w }) => backend.kernels.conv2dWeightUpdate(dy, x, w, lr, locks, geometry),
            reach: (input, at, _, to) => {
              if (input === "w") return at === to ? "yes" : "no";
              if (isLocked(to)) return "no";
              return reach(input, at, to);
            },
          });
        }
      }
    },
};
