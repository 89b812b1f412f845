import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { applyGate, dropout, relu } from "./elementwise.ts";
import { linear } from "./linear.ts";

const [n, k, m] = [3, 4, 5];
const draw = { keep: 0.7, stream: new Stream(1, "test"), step: 3 };

function uniform(name: string, count: number, seed: number): Float32Array {
  return new Stream(seed, name).uniform(count, -1, 1);
}

// Inputs whose sums before the ReLU are all 1/8 or more away from 0: central differences may not step over the kink.
function awayFromKink(): { x: Float32Array; w: Float32Array; bias: Float32Array } {
  for (let seed = 0; ; seed++) {
    const [x, w, bias] = [uniform("x", n * k, seed), uniform("w", m * k, seed), uniform("bias", m, seed)];
    const sums = Array.from({ length: n * m }, (_, at) => {
      const [row, unit] = [Math.floor(at / m), at % m];
      return x
        .subarray(row * k, (row + 1) * k)
        .reduce((sum, v, i) => sum + v * w[unit * k + i]!, bias[unit]!);
    });
    if (sums.every((sum) => Math.abs(sum) >= 1 / 8)) return { x, w, bias };
  }
}

describe.each(availableBackends())("on $name", (backend) => {
  const { x, w, bias } = awayFromKink();
  const inputs = [
    { shape: [n, k], values: x },
    { shape: [m, k], values: w },
    { shape: [m], values: bias },
    { shape: [m], values: [0.3, 1, 0, -0.5, 2] },
  ];

  test("x w' + bias, written out", () => {
    tidy(() => {
      const y = linear(
        tensor([1, 2, 3, 4], [2, 2], { backend }),
        tensor([1, 0, 0, 1, 1, -1], [3, 2], { backend }),
        { bias: tensor([10, 20, 30], [3], { backend }) },
      );

      expect(y.shape).toEqual([2, 3]);
      expect([...y.data]).toEqual([11, 22, 29, 13, 24, 29]);
    });
  });

  test("the gradients of x and w are those of central differences", () => {
    checkGradient(([a, b], tape) => linear(a!, b!, {}, tape), inputs.slice(0, 2), { backend });
  });

  test("the gradient of the bias too", () => {
    checkGradient(([a, b, c], tape) => linear(a!, b!, { bias: c }, tape), inputs.slice(0, 3), { backend });
  });

  test("the gradients through the ReLU too", () => {
    checkGradient(([a, b, c], tape) => linear(a!, b!, { bias: c, relu: true }, tape), inputs.slice(0, 3), {
      backend,
    });
  });

  test("the gradients through the gate too, the gate's own among them", () => {
    // A gate of 0 is a selection, not the limit of a multiplication: its gradient is the formula's, so it stays away from 0.
    const gates = [...inputs.slice(0, 3), { shape: [m], values: [0.3, 1, 0.8, -0.5, 2] }];
    checkGradient(([a, b, c, g], tape) => linear(a!, b!, { bias: c, gate: g }, tape), gates, { backend });
    checkGradient(([a, b, c, g], tape) => linear(a!, b!, { bias: c, relu: true, gate: g }, tape), gates, {
      backend,
    });
  });

  test("the gradients through dropout too: the mask depends on nothing but the draw", () => {
    const gates = [...inputs.slice(0, 3), { shape: [m], values: [0.3, 1, 0.8, -0.5, 2] }];
    checkGradient(
      ([a, b, c, g], tape) => linear(a!, b!, { bias: c, relu: true, dropout: draw, gate: g }, tape),
      gates,
      { backend },
    );
  });

  test("all in one pass has the bits of one after the other", () => {
    tidy(() => {
      const [a, b, c, gate] = inputs.map(({ shape, values }) => tensor(values, shape, { backend }));

      const fused = linear(a!, b!, { bias: c, relu: true, dropout: draw, gate });

      const steps = applyGate(dropout(relu(linear(a!, b!, { bias: c })), draw), gate!);
      expect(fused.toArray()).toEqual(steps.toArray());
    });
  });

  test("a gate of 0 hides an infinite unit, forward and backward", () => {
    tidy(() => {
      const a = tensor([Infinity], [1, 1], { backend });
      const b = tensor([1], [1, 1], { backend, requiresGrad: true });
      const c = tensor([0], [1], { backend, requiresGrad: true });
      const tape = new Tape();

      const y = linear(a, b, { bias: c, gate: zeros([1], { backend }) }, tape);
      const gradients = tape.backward(y);

      expect(y.item()).toBe(0);
      expect(gradients.get(c)!.item()).toBe(0);
    });
  });

  test("a batch of no rows and a layer of no inputs are no special cases", () => {
    tidy(() => {
      const tape = new Tape();
      const b = tensor(w, [m, k], { backend, requiresGrad: true });

      const none = linear(zeros([0, k], { backend }), b, { relu: true }, tape);
      const constant = linear(zeros([2, 0], { backend }), zeros([2, 0], { backend }), {
        bias: tensor([1, 2], [2], { backend }),
      });

      expect(none.shape).toEqual([0, m]);
      expect([...constant.data]).toEqual([1, 2, 1, 2]);
    });
  });
});

test("shapes that do not fit are refused with both shapes", () => {
  const backend = referenceBackend;
  tidy(() => {
    const image = zeros([64, 28, 28], { backend });
    const a = zeros([2, 3], { backend });
    const b = zeros([5, 4], { backend });
    const code = "SHAPE_MISMATCH";

    expect(() => linear(image, b)).toThrow(ShapeError);
    expect(() => linear(image, b)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/\[64, 28, 28\].*\[5, 4\]/) }),
    );
    expect(() => linear(a, b)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/\[2, 3\].*\[5, 4\]/) }),
    );
    for (const name of ["bias", "gate"]) {
      expect(() => linear(zeros([2, 4], { backend }), b, { [name]: zeros([4], { backend }) })).toThrow(
        expect.objectContaining({
          code,
          message: expect.stringMatching(new RegExp(`${name}.*\\[4\\].*\\[5\\]`)),
        }),
      );
    }
    expect(() => linear(zeros([2, 4], { backend }), b, { dropout: draw })).toThrow(
      expect.objectContaining({ name: "ShapeError", code: "UNSUPPORTED" }),
    );
  });
});
