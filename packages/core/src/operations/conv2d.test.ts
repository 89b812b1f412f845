import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { elements, tensor, zeros, type Shape, type Tensor } from "../tensor.ts";
import { checkGradient, type GradientInput } from "../testing/index.ts";
import { conv2d } from "./conv2d.ts";
import { applyGate, dropout, multiply } from "./elementwise.ts";
import { sum } from "./loss.ts";
import { linear } from "./linear.ts";
import { maxPool2d } from "./max-pool2d.ts";
import { reshape } from "./shape.ts";

function uniform(name: string, shape: Shape, seed = 0): GradientInput {
  return { shape, values: new Stream(seed, name).uniform(elements(shape), -1, 1) };
}

describe.each(availableBackends())("on $name", (backend) => {
  test("a 2 x 2 kernel over 3 x 3 pixels, written out", () => {
    tidy(() => {
      const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1], { backend });
      const w = tensor([1, 10, 100, 1000], [1, 2, 2, 1], { backend });

      const y = conv2d(x, w);

      expect(y.shape).toEqual([1, 2, 2, 1]);
      expect([...y.data]).toEqual([5421, 6532, 8754, 9865]);
    });
  });

  test("a kernel as large as the image is the fully connected layer, bit for bit", () => {
    tidy(() => {
      const [x, w] = [uniform("x", [3, 4, 5, 2]), uniform("w", [6, 4, 5, 2])].map(({ shape, values }) =>
        tensor(values, shape, { backend }),
      );

      const convolved = conv2d(x!, w!);
      const connected = linear(reshape(x!, [3, 40]), reshape(w!, [6, 40]));

      expect(convolved.toArray()).toEqual(connected.toArray());
    });
  });

  const strides = [
    { stride: [1, 1], padding: [0, 0] },
    { stride: [2, 1], padding: [0, 0] },
    { stride: [1, 1], padding: [1, 2] },
    { stride: [2, 3], padding: [2, 1] },
  ] as const;
  test.each(strides)(
    "the gradients of x, w and bias are those of differences: $stride, $padding",
    (options) => {
      checkGradient(
        ([x, w, bias], tape) => conv2d(x!, w!, { ...options, bias }, tape),
        [uniform("x", [2, 4, 5, 2]), uniform("w", [3, 3, 2, 2]), uniform("bias", [3])],
        { backend },
      );
    },
  );

  const pools = [
    { pool: undefined },
    { pool: { kernel: [2, 2], stride: [2, 2] } },
    { pool: { kernel: [2, 1], stride: [3, 2] } },
  ] as const;
  test.each(pools)(
    "what follows in one pass has the bits, and the gradients, of one after the other: $pool",
    ({ pool }) => {
      const open = new Stream(0, "gate").uniform(7, -1, 1);
      const [x, w, bias, gate] = [
        uniform("x", [3, 5, 4, 2]),
        uniform("w", [7, 3, 2, 2]),
        uniform("bias", [7]),
        { shape: [7], values: open.map((value, i) => (i === 2 ? 0 : value)) },
      ];
      const draw = {
        keep: 0.7,
        stream: new Stream(4, "draw"),
        step: 5,
        numbers: Uint32Array.of(1, 2, 5, 6, 9, 40, 41),
      };
      const run = (fused: boolean): readonly (readonly number[])[] =>
        tidy(() => {
          const leaves = [x, w, bias, gate].map(({ shape, values }) =>
            tensor(values, shape, { backend, requiresGrad: true }),
          );
          const [xs, ws, b, a] = leaves as [Tensor, Tensor, Tensor, Tensor];
          const tape = new Tape();
          const options = { bias: b, relu: true, padding: [1, 0] } as const;

          const pooled = (v: Tensor): Tensor =>
            pool === undefined ? v : maxPool2d(v, pool.kernel, pool.stride, tape);
          const y = fused
            ? conv2d(xs, ws, { ...options, dropout: draw, pool, gate: a }, tape)
            : applyGate(pooled(dropout(conv2d(xs, ws, options, tape), draw, tape)), a, tape);
          const seed = uniform("seed", y.shape);
          const loss = sum(multiply(y, tensor(seed.values, seed.shape, { backend }), tape), tape);
          const gradients = tape.backward(loss);

          return [y, ...leaves.map((leaf) => gradients.get(leaf)!)].map((t) => [...t.data]);
        });

      expect(run(true)).toEqual(run(false));
    },
  );

  test("a gate of another size, dropout without ReLU, a pool that is too large or overlaps are refused", () => {
    tidy(() => {
      const x = zeros([1, 3, 3, 2], { backend });
      const w = zeros([4, 2, 2, 2], { backend });

      expect(() => conv2d(x, w, { pool: { kernel: [2, 2], stride: [2, 1] } })).toThrow(/do not overlap/);
      expect(() => conv2d(x, w, { pool: { kernel: [3, 1], stride: [3, 1] } })).toThrow(
        /pool takes images .* of at least 3 x 1 pixels, but got \[1, 2, 2, 4\]/,
      );
      expect(() => conv2d(x, w, { gate: zeros([3], { backend }) })).toThrow(
        /gate has shape \[3\], expected \[4\]/,
      );
      expect(() => conv2d(x, w, { dropout: { keep: 0.5, stream: new Stream(0, "d"), step: 0 } })).toThrow(
        ShapeError,
      );
    });
  });

  test("the gradients through the ReLU too", () => {
    // Seeds until no sum lies within 1/8 of the kink, which differences may not step over.
    const problem = (seed: number): GradientInput[] => [
      uniform("x", [1, 3, 3, 2], seed),
      uniform("w", [2, 2, 2, 2], seed),
      uniform("bias", [2], seed),
    ];
    let seed = 0;
    const nearest = (): number =>
      tidy(() => {
        const [x, w, bias] = problem(seed).map(({ shape, values }) => tensor(values, shape, { backend }));
        return Math.min(...conv2d(x!, w!, { bias: bias! }).data.map(Math.abs));
      });
    while (nearest() < 1 / 8) seed++;

    checkGradient(([x, w, bias], tape) => conv2d(x!, w!, { bias, relu: true }, tape), problem(seed), {
      backend,
    });
  });
});

test("shapes that do not fit are refused with their numbers", () => {
  const backend = referenceBackend;
  const code = "SHAPE_MISMATCH";
  tidy(() => {
    const x = zeros([2, 5, 4, 3], { backend });
    const refused = (message: RegExp): object =>
      expect.objectContaining({ code, message: expect.stringMatching(message) });

    expect(() => conv2d(zeros([2, 5], { backend }), zeros([1, 1, 1, 1], { backend }))).toThrow(ShapeError);
    expect(() => conv2d(x, zeros([8, 3, 3, 2], { backend }))).toThrow(
      refused(/\[2, 5, 4, 3\].*\[8, 3, 3, 2\]/),
    );
    expect(() => conv2d(x, zeros([8, 6, 3, 3], { backend }))).toThrow(refused(/6 x 3 .*5 x 4/));
    expect(() => conv2d(x, zeros([8, 3, 3, 3], { backend }), { bias: zeros([3], { backend }) })).toThrow(
      refused(/bias.*\[3\].*\[8\]/),
    );
    expect(conv2d(x, zeros([8, 6, 3, 3], { backend }), { padding: [1, 0] }).shape).toEqual([2, 2, 2, 8]);
  });
});
