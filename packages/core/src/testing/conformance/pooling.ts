import { isIntact, isPoison, Numbers, poisoned, poisonedIntegers } from "../arrays.ts";
import { rounding } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkRefused, checkSame } from "./check.ts";

const random = new Numbers(0);

function randomGeometry(): readonly number[] {
  const [r, s] = [1 + random.below(4), 1 + random.below(4)];
  const [height, width] = [r + random.below(7), s + random.below(7)];
  return [
    1 + random.below(3),
    height,
    width,
    random.below(40),
    r,
    s,
    1 + random.below(4),
    1 + random.below(4),
  ];
}

// n, height, width, channels, window, strides: windows that overlap, touch, leave gaps, and leave pixels over.
const geometries: readonly (readonly number[])[] = [
  [0, 4, 4, 3, 2, 2, 2, 2],
  [1, 1, 1, 1, 1, 1, 1, 1],
  [2, 5, 7, 3, 2, 2, 2, 2],
  [1, 6, 5, 17, 3, 2, 1, 1],
  [3, 7, 7, 33, 2, 3, 3, 3],
  ...Array.from({ length: 8 }, randomGeometry),
];

// n, positions, channels of global average pooling.
const averaged = [
  [0, 4, 3],
  [1, 1, 1],
  [3, 16, 33],
  [2, 130, 17],
] as const;

function outputs(geometry: readonly number[]): readonly [number, number] {
  const [, height, width, , r, s, strideY, strideX] = geometry as unknown as Sizes;
  return [Math.floor((height - r) / strideY) + 1, Math.floor((width - s) / strideX) + 1];
}

type Sizes = readonly [number, number, number, number, number, number, number, number];

export const poolingClaims: Claims = {
  "maxPool2dForward selects the first largest element of each window, and says where it was": (backend) => {
    const numbers = new Numbers(40);
    for (const geometry of geometries) {
      const [n, height, width, channels, r, s, strideY, strideX] = geometry as unknown as Sizes;
      const [outHeight, outWidth] = outputs(geometry);
      const size = n * outHeight * outWidth * channels;
      // Quarters: ties are common.
      const x = numbers.floats(n * height * width * channels).map((v) => Math.round(v * 2) / 2);
      const [y, argmax] = [poisoned(size), poisonedIntegers(size)];

      backend.kernels.maxPool2dForward(x, y, argmax, Int32Array.from(geometry));

      y.forEach((value, at) => {
        const channel = at % channels;
        const ox = Math.floor(at / channels) % outWidth;
        const oy = Math.floor(at / channels / outWidth) % outHeight;
        const image = Math.floor(at / channels / outWidth / outHeight);
        const window = Array.from({ length: r * s }, (_, i) => {
          const [row, column] = [oy * strideY + Math.floor(i / s), ox * strideX + (i % s)];
          return (row * width + column) * channels + channel;
        });
        const values = window.map((index) => x[image * height * width * channels + index]!);
        const most = values.reduce((a, b) => (b > a ? b : a));
        const what = (): string => `maxPool2dForward of [${geometry.join(", ")}]: element ${at}`;
        checkSame(value, values[values.indexOf(most)]!, what);
        checkSame(argmax[at]!, window[values.indexOf(most)]!, () => `${what()}, argmax`);
      });
      check(isIntact(y) && isIntact(argmax), () => "something outside of the outputs was written");
    }
  },

  "maxPool2dForward does not hide a NaN": (backend) => {
    for (let at = 0; at < 4; at++) {
      const x = Float32Array.of(1, 2, 3, 4);
      x[at] = NaN;
      const [y, argmax] = [new Float32Array(1), new Int32Array(1)];

      backend.kernels.maxPool2dForward(x, y, argmax, Int32Array.of(1, 2, 2, 1, 2, 2, 2, 2));

      checkSame(y[0]!, NaN, () => `the largest of a window with NaN at ${at}`);
      checkSame(argmax[0]!, at, () => "its position");
    }
  },

  "maxPool2dBackward adds dy where the maxima were, outputs ascending, and 0 elsewhere": (backend) => {
    const numbers = new Numbers(41);
    for (const geometry of geometries) {
      const [n, height, width, channels] = geometry as unknown as Sizes;
      const [outHeight, outWidth] = outputs(geometry);
      const size = n * outHeight * outWidth * channels;
      const image = height * width * channels;
      const x = numbers.floats(n * image);
      const [dy, dx, argmax] = [numbers.floats(size), poisoned(n * image), new Int32Array(size)];
      backend.kernels.maxPool2dForward(x, new Float32Array(size), argmax, Int32Array.from(geometry));

      backend.kernels.maxPool2dBackward(dy, argmax, dx, Int32Array.from(geometry));

      const expected = new Float32Array(n * image); // each addition rounds once: the same bits on every backend
      dy.forEach((d, i) => {
        const at = Math.floor(i / (size / n)) * image + argmax[i]!;
        expected[at] = expected[at]! + d;
      });
      dx.forEach((d, at) =>
        checkSame(d, expected[at]!, () => `maxPool2dBackward of [${geometry.join(", ")}]: element ${at}`),
      );
      check(isIntact(dx), () => "something outside of dx was written");
    }
  },

  "maxPool2dActivationBackward is gate, pooling and activation backward, one after the other": (backend) => {
    const numbers = new Numbers(44);
    const { kernels } = backend;
    for (const [relu, gating, keep] of [
      [true, true, 0.8],
      [true, false, 1],
      [false, true, 1],
    ] as const) {
      // The last has more pixels than a block of dbias.
      for (const overlapping of [...geometries, [3, 37, 39, 2, 2, 2, 2, 2]]) {
        const [n, height, width, channels, kernelHeight, kernelWidth, strideY, strideX] =
          overlapping as unknown as Sizes;
        const strides = [Math.max(strideY, kernelHeight), Math.max(strideX, kernelWidth)] as const;
        const geometry = Int32Array.of(n, height, width, channels, kernelHeight, kernelWidth, ...strides);
        const [outHeight, outWidth] = outputs([...geometry]);
        const [pixels, windows] = [n * height * width, n * outHeight * outWidth];
        const size = windows * channels;
        const x = numbers.floats(pixels * channels).map((v) => (relu && v < 0 ? 0 : v));
        const [h, argmax, dy] = [new Float32Array(size), new Int32Array(size), numbers.floats(size)];
        const gate = gating ? numbers.gates(channels) : null;
        const [dgate, dbias] = [gating ? poisoned(channels) : null, poisoned(channels)];
        const dv = poisoned(pixels * channels);
        kernels.maxPool2dForward(x, h, argmax, geometry);

        kernels.maxPool2dActivationBackward(dy, argmax, h, gate, dv, dgate, dbias, geometry, relu, keep);

        const [du, dx, expected] = [dy.slice(), new Float32Array(x.length), new Float32Array(x.length)];
        const [gateSum, biasSum] = [gating ? new Float32Array(channels) : null, new Float32Array(channels)];
        kernels.activationBackward(dy, h, gate, du, gateSum, null, windows, channels, false, 1);
        kernels.maxPool2dBackward(du, argmax, dx, geometry);
        kernels.activationBackward(dx, x, null, expected, null, biasSum, pixels, channels, relu, keep);
        const what = `maxPool2dActivationBackward of [${geometry.join(", ")}], relu ${relu}, keep ${keep}`;
        dv.forEach((d, at) => checkSame(d, expected[at]!, () => `${what}: element ${at}`));
        dbias.forEach((d, at) => checkSame(d, biasSum[at]!, () => `${what}: dbias[${at}]`));
        dgate?.forEach((d, at) => checkSame(d, gateSum![at]!, () => `${what}: dgate[${at}]`));
        check(isIntact(dv) && isIntact(dbias), () => `${what} wrote outside of dv or dbias`);
      }
    }
  },

  "globalAveragePoolForward is the mean over the positions: chunks of 64, added ascending": (backend) => {
    const numbers = new Numbers(42);
    for (const [n, positions, channels] of averaged) {
      const [x, y] = [numbers.floats(n * positions * channels), poisoned(n * channels)];

      backend.kernels.globalAveragePoolForward(x, y, n, positions, channels);

      checkOutput(backend, `globalAveragePoolForward of [${n}, ${positions}, ${channels}]`, y, (at) => {
        const first = Math.floor(at / channels) * positions * channels + (at % channels);
        const values = Array.from({ length: positions }, (_, i) => x[first + i * channels]!);
        let exact = 0;
        for (let from = 0; from < positions; from += 64) {
          const part = values.slice(from, from + 64).reduce((sum, v) => Math.fround(sum + v), 0);
          exact = from === 0 ? part : Math.fround(exact + part);
        }
        const value = values.reduce((sum, v) => sum + v, 0) / positions;
        const error = (66 + Math.ceil(positions / 64)) * rounding;
        return { value, error, exact: Math.fround(exact / positions) + 0 };
      });
    }
  },

  "globalAveragePoolBackward gives every position its share": (backend) => {
    const numbers = new Numbers(43);
    for (const [n, positions, channels] of averaged) {
      const [dy, dx] = [numbers.floats(n * channels), poisoned(n * positions * channels)];

      backend.kernels.globalAveragePoolBackward(dy, dx, n, positions, channels);

      dx.forEach((d, at) =>
        checkSame(
          d,
          Math.fround(dy[Math.floor(at / channels / positions) * channels + (at % channels)]! / positions),
          () => `globalAveragePoolBackward of [${n}, ${positions}, ${channels}]: element ${at}`,
        ),
      );
      check(isIntact(dx), () => "something outside of dx was written");
    }
  },

  "a position outside of the image is refused before anything is written": (backend) => {
    for (const at of [-1, 4]) {
      const dx = poisoned(4);

      checkRefused(
        `argmax ${at} in an image of 4`,
        () =>
          backend.kernels.maxPool2dBackward(
            Float32Array.of(1),
            Int32Array.of(at),
            dx,
            Int32Array.of(1, 2, 2, 1, 2, 2, 2, 2),
          ),
        String(at),
        "4",
      );

      check(isPoison(dx, 0), () => "maxPool2dBackward wrote before it refused");
    }
  },
};
