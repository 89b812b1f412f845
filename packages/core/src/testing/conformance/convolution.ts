import { Stream } from "../../philox.ts";
import { isIntact, Numbers, poisoned } from "../arrays.ts";
import { behindGate, chain, fused, plus, positive, times, zero, type Expected } from "../bounded.ts";
import type { Claims } from "./case.ts";
import { check, checkOutput, checkRefused, checkSame } from "./check.ts";

const random = new Numbers(0);

function randomGeometry(): readonly number[] {
  const [kernelHeight, kernelWidth] = [1 + random.below(4), 1 + random.below(4)];
  const [padY, padX] = [
    random.below(Math.min(2, kernelHeight) + 1),
    random.below(Math.min(2, kernelWidth) + 1),
  ];
  const [height, width] = [kernelHeight + random.below(6), kernelWidth + random.below(6)];
  const [strideY, strideX] = [1 + random.below(3), 1 + random.below(3)];
  const [n, inputs, outputs] = [1 + random.below(3), 1 + random.below(9), 1 + random.below(20)];
  return [n, height, width, inputs, outputs, kernelHeight, kernelWidth, strideY, strideX, padY, padX];
}

// n, height, width, in, out, kernel height and width, strides, paddings.
const geometries: readonly (readonly number[])[] = [
  [0, 4, 4, 2, 3, 3, 3, 1, 1, 0, 0],
  [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
  [2, 5, 4, 3, 5, 3, 2, 1, 1, 0, 0],
  [2, 5, 6, 1, 17, 3, 3, 1, 1, 1, 1],
  [1, 7, 8, 4, 3, 3, 3, 2, 3, 1, 2],
  [3, 6, 6, 17, 2, 1, 1, 2, 2, 0, 0],
  [1, 3, 9, 2, 33, 3, 5, 1, 2, 2, 0],
  [1, 18, 18, 2, 3, 3, 3, 1, 1, 1, 1],
  [2, 6, 5, 40, 5, 3, 3, 1, 1, 1, 1],
  [13, 3, 3, 12, 5, 3, 3, 1, 1, 1, 1],
  [7, 2, 2, 33, 9, 3, 3, 2, 2, 1, 1],
  ...Array.from({ length: 6 }, randomGeometry),
];

type Pair = readonly [number, number];
type Visit = (image: number, oy: number, ox: number, o: number, r: number, s: number, c: number) => void;

class Problem {
  readonly geometry: Int32Array;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly dy: Float32Array;
  readonly bias: Float32Array;
  readonly #outHeight: number;
  readonly #outWidth: number;

  /** Images, rows and columns of the output. */
  get outputShape(): readonly [number, number, number] {
    return [this.geometry[0]!, this.#outHeight, this.#outWidth];
  }

  constructor(geometry: readonly number[], numbers: Numbers) {
    const [n, height, width, inputs, outputs, r, s, strideY, strideX, padY, padX] = geometry as Sizes;
    this.geometry = Int32Array.from(geometry);
    this.#outHeight = Math.floor((height + 2 * padY - r) / strideY) + 1;
    this.#outWidth = Math.floor((width + 2 * padX - s) / strideX) + 1;
    this.x = numbers.floats(n * height * width * inputs);
    this.w = numbers.floats(outputs * r * s * inputs);
    this.dy = numbers.floats(n * this.#outHeight * this.#outWidth * outputs);
    this.bias = numbers.floats(outputs);
  }

  // Every (output element, kernel element) of the convolution in the order image, oy, ox, o, r, s, c: naive, and slow.
  #forAll(visit: Visit): void {
    const [n, , , inputs, outputs, kernelHeight, kernelWidth] = this.geometry as unknown as Sizes;
    for (let image = 0; image < n; image++)
      for (let oy = 0; oy < this.#outHeight; oy++)
        for (let ox = 0; ox < this.#outWidth; ox++)
          for (let o = 0; o < outputs; o++)
            for (let r = 0; r < kernelHeight; r++)
              for (let s = 0; s < kernelWidth; s++)
                for (let c = 0; c < inputs; c++) visit(image, oy, ox, o, r, s, c);
  }

  // Indices of the elements of x, w and y that meet there; x is -1 in the padding.
  #meeting(...[image, oy, ox, o, r, s, c]: Parameters<Visit>): { x: number; w: number; y: number } {
    const [, height, width, inputs, outputs, kernelHeight, kernelWidth, strideY, strideX, padY, padX] =
      this.geometry as unknown as Sizes;
    const [iy, ix] = [oy * strideY + r - padY, ox * strideX + s - padX];
    const inside = iy >= 0 && iy < height && ix >= 0 && ix < width;
    return {
      x: inside ? ((image * height + iy) * width + ix) * inputs + c : -1,
      w: ((o * kernelHeight + r) * kernelWidth + s) * inputs + c,
      y: ((image * this.#outHeight + oy) * this.#outWidth + ox) * outputs + o,
    };
  }

  // The terms of each element of one of the three arrays; `key` sorts those of an element into the order of its chain.
  terms(of: "x" | "w" | "y"): Pair[][] {
    const factors = { x: this.x, w: this.w, y: this.dy };
    const [a, b] = ({ x: ["y", "w"], w: ["y", "x"], y: ["x", "w"] } as const)[of];
    const found: { key: number; pair: Pair }[][] = Array.from(factors[of], () => []);
    this.#forAll((...indices) => {
      const at = this.#meeting(...indices);
      if (at.x < 0) return;
      const [, , , o, r, s] = indices;
      // Forward and weight gradient have their order already; the input gradient's is kernel row, column, output.
      const key = of === "x" ? (r * 1000 + s) * 1000 + o : 0;
      found[at[of]]!.push({ key, pair: [factors[a][at[a]]!, factors[b][at[b]]!] });
    });
    return found.map((list) => list.toSorted((p, q) => p.key - q.key).map(({ pair }) => pair));
  }
}

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

export const convolutionClaims: Claims = {
  "conv2dForward sums over kernel row, kernel column, input channel; then bias, then ReLU": (backend) => {
    const numbers = new Numbers(30);
    for (const geometry of geometries) {
      for (const [biased, relu] of [
        [false, false],
        [true, false],
        [true, true],
      ] as const) {
        const p = new Problem(geometry, numbers);
        const y = poisoned(p.dy.length);

        backend.kernels.conv2dForward(p.x, p.w, biased ? p.bias : null, y, p.geometry, relu);

        const terms = p.terms("y");
        checkOutput(
          backend,
          `conv2dForward of [${geometry.join(", ")}], bias ${biased}, relu ${relu}`,
          y,
          (at) => {
            const v = biased ? plus(chain(terms[at]!), p.bias[at % p.bias.length]!) : chain(terms[at]!);
            return relu ? positive(v) : v;
          },
        );
      }
    }
  },

  "conv2dForward drops by pixel and channel of the full layer behind its ReLU, then multiplies by the gate": (
    backend,
  ) => {
    const numbers = new Numbers(33);
    const stream = new Stream(2 ** 40 + 7, "conformance");
    const [keep, step] = [0.6, 9];
    for (const geometry of geometries) {
      const p = new Problem(geometry, numbers);
      const units = p.bias.length;
      const [h, y] = [poisoned(p.dy.length), poisoned(p.dy.length)];
      const gate = numbers.gates(units);
      let next = numbers.below(5);
      const listed = Uint32Array.from({ length: units }, () => (next += 1 + numbers.below(5)));

      backend.kernels.conv2dForward(
        p.x,
        p.w,
        p.bias,
        y,
        p.geometry,
        true,
        gate,
        h,
        keep,
        stream.key(step),
        listed,
      );

      const terms = p.terms("y");
      const before = (at: number): Expected => {
        const unit = at % units;
        const number = listed[unit]!;
        const word = stream.words(number + 1, step, Math.floor(at / units))[number]!;
        const v = positive(plus(chain(terms[at]!), p.bias[unit]!));
        return word < Math.floor(keep * 2 ** 32) ? times(v, Math.fround(1 / keep)) : zero;
      };
      const what = `conv2dForward of [${geometry.join(", ")}] with dropout and gate`;
      checkOutput(backend, what, y, (at) => behindGate(before(at), gate[at % units]!));
      checkOutput(backend, `${what}, h`, h, before);
    }
  },

  "conv2dForward with a pool is the convolution, then the pooling, then the gate": (backend) => {
    const numbers = new Numbers(35);
    const stream = new Stream(3, "conformance");
    const { kernels } = backend;
    for (const geometry of geometries) {
      const p = new Problem(geometry, numbers);
      const units = p.bias.length;
      const pixels = p.outputShape;
      const window = [
        1 + numbers.below(Math.min(3, pixels[1])),
        1 + numbers.below(Math.min(3, pixels[2])),
      ] as const;
      const pool = Int32Array.of(...window, 1 + numbers.below(3), 1 + numbers.below(3));
      const pooled = [0, 1].map(
        (side) => Math.floor((pixels[side + 1]! - pool[side]!) / pool[side + 2]!) + 1,
      );
      const size = pixels[0] * pooled[0]! * pooled[1]! * units;
      const v = new Float32Array(p.dy.length);
      const [expected, winners, opened] = [
        new Float32Array(size),
        new Int32Array(size),
        new Float32Array(size),
      ];
      const [y, h, argmax] = [poisoned(size), poisoned(size), new Int32Array(size)];
      const gate = numbers.gates(units);
      const key = stream.key(2);
      kernels.conv2dForward(p.x, p.w, p.bias, v, p.geometry, true, null, null, 0.7, key);
      kernels.maxPool2dForward(v, expected, winners, Int32Array.of(...pixels, units, ...pool));
      kernels.gateApply(expected, gate, opened, size / Math.max(units, 1), units);

      kernels.conv2dForward(p.x, p.w, p.bias, y, p.geometry, true, gate, h, 0.7, key, null, pool, argmax);

      const what = `conv2dForward of [${geometry.join(", ")}] with pool [${pool.join(", ")}]`;
      y.forEach((value, at) => checkSame(value, opened[at]!, () => `${what}: element ${at}`));
      h.forEach((value, at) => checkSame(value, expected[at]!, () => `${what}: h[${at}]`));
      argmax.forEach((value, at) => checkSame(value, winners[at]!, () => `${what}: argmax[${at}]`));
      check(isIntact(y) && isIntact(h), () => `${what} wrote outside of y or h`);
    }
  },

  "conv2dInputGradient sums over kernel row, kernel column, output channel": (backend) => {
    const numbers = new Numbers(31);
    for (const geometry of geometries) {
      const p = new Problem(geometry, numbers);
      const dx = poisoned(p.x.length);

      backend.kernels.conv2dInputGradient(p.dy, p.w, dx, p.geometry);

      const terms = p.terms("x");
      checkOutput(backend, `conv2dInputGradient of [${geometry.join(", ")}]`, dx, (at) => chain(terms[at]!));
    }
  },

  "conv2dWeightGradient sums over image, output row, output column": (backend) => {
    const numbers = new Numbers(32);
    for (const geometry of geometries) {
      const p = new Problem(geometry, numbers);
      const dw = poisoned(p.w.length);

      backend.kernels.conv2dWeightGradient(p.dy, p.x, dw, p.geometry);

      const terms = p.terms("w");
      checkOutput(backend, `conv2dWeightGradient of [${geometry.join(", ")}]`, dw, (at) => chain(terms[at]!));
    }
  },

  "conv2dWeightUpdate is one step down the gradient, and never writes a locked element": (backend) => {
    const numbers = new Numbers(34);
    const lr = Math.fround(0.05);
    for (const geometry of geometries) {
      for (const locked of [false, true]) {
        const p = new Problem(geometry, numbers);
        const columns = p.bias.length === 0 ? 0 : p.w.length / p.bias.length;
        const locks = numbers.locks(p.bias.length, columns);
        const isLocked = (at: number): boolean => {
          const [row, column] = [Math.floor(at / columns), at % columns];
          const word = locks[row * Math.ceil(columns / 32) + (column >> 5)]!;
          return locked && ((word >>> (column & 31)) & 1) === 1;
        };
        // A locked element is NaN: any write shows.
        const w = poisoned(p.w.length);
        const untouched = new Uint32Array(w.buffer, w.byteOffset, w.length).slice();
        p.w.forEach((value, at) => {
          if (!isLocked(at)) w[at] = value;
        });

        backend.kernels.conv2dWeightUpdate(p.dy, p.x, w, lr, locked ? locks : null, p.geometry);

        const bits = new Uint32Array(w.buffer, w.byteOffset, w.length);
        bits.forEach((value, at) => {
          if (!isLocked(at)) return;
          check(value === untouched[at], () => `conv2dWeightUpdate: the locked element ${at} was written`);
          w[at] = 0;
        });
        const terms = p.terms("w");
        const what = `conv2dWeightUpdate of [${geometry.join(", ")}], locked ${locked}`;
        checkOutput(backend, what, w, (at) =>
          isLocked(at) ? zero : fused(-lr, chain(terms[at]!), p.w[at]!),
        );
      }
    }
  },

  "a convolution whose kernel does not fit is refused": (backend) => {
    const geometry = Int32Array.of(1, 2, 2, 1, 1, 3, 3, 1, 1, 0, 0);
    const call = (): void =>
      backend.kernels.conv2dForward(
        new Float32Array(4),
        new Float32Array(9),
        null,
        new Float32Array(1),
        geometry,
        false,
      );

    checkRefused("conv2dForward of a 3 x 3 kernel on 2 x 2", call, "3 x 3", "2 x 2");
  },
};
