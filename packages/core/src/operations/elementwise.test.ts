import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { conv2d } from "./conv2d.ts";
import { add, applyGate, dropout, multiply, relu, scale } from "./elementwise.ts";
import { linear } from "./linear.ts";
import { sum } from "./loss.ts";

const a = { shape: [2, 3], values: [0.5, -1, 2, 0.25, -0.75, 3] };
const b = { shape: [2, 3], values: [-2, 0.5, 1, 1.5, 0.3, -0.2] };

describe.each(availableBackends())("on $name", (backend) => {
  test("the gradients of add and multiply are those of differences", () => {
    checkGradient(([x, y], tape) => add(x!, y!, tape), [a, b], { backend });
    checkGradient(([x, y], tape) => multiply(x!, y!, tape), [a, b], { backend });
  });

  test("add and multiply of a tensor with itself count both uses", () => {
    checkGradient(([x], tape) => add(x!, x!, tape), [a], { backend });
    checkGradient(([x], tape) => multiply(x!, x!, tape), [a], { backend });
  });

  test("the gradients of scale, relu and dropout are those of differences", () => {
    const draw = { keep: 0.5, stream: new Stream(7, "test"), step: 1 };
    checkGradient(([x], tape) => scale(x!, -1.7, tape), [a], { backend });
    checkGradient(([x], tape) => relu(x!, tape), [a], { backend });
    checkGradient(([x], tape) => dropout(x!, draw, tape), [a], { backend });
  });

  test("dropout keeps a share of the elements, divided by it, and another share in another step", () => {
    tidy(() => {
      const ones = tensor(new Float32Array(10_000).fill(1), [100, 100], { backend });
      const stream = new Stream(3, "test");

      const first = dropout(ones, { keep: 0.8, stream, step: 0 });
      const again = dropout(ones, { keep: 0.8, stream, step: 0 });
      const second = dropout(ones, { keep: 0.8, stream, step: 1 });

      // Four standard deviations of a binomial: 4 sqrt(10000 * 0.8 * 0.2) = 160.
      const kept = first.data.filter((v) => v === Math.fround(1 / 0.8)).length;
      expect(Math.abs(kept - 8000)).toBeLessThan(160);
      expect(first.data.filter((v) => v === 0).length).toBe(10_000 - kept);
      expect(again.toArray()).toEqual(first.toArray());
      expect(second.toArray()).not.toEqual(first.toArray());
    });
  });

  test.each([0, -0.5, 1.5, NaN, Infinity, 1e-320, "0.5", null])(
    "a share of %o cannot be kept, by dropout alone and behind a product",
    (share) => {
      tidy(() => {
        const keep = share as number;
        const draw = { keep, stream: new Stream(7, "test"), step: 1 };
        const options = { relu: true, dropout: draw };
        const [x, w] = [tensor([1, 2], [1, 2], { backend }), tensor([1, 2], [1, 2], { backend })];
        const image = tensor([1, 2], [1, 1, 1, 2], { backend });

        for (const drop of [
          () => dropout(x, draw),
          () => linear(x, w, options),
          () => conv2d(image, image, options),
        ]) {
          expect(drop).toThrow(expect.objectContaining({ name: "ConfigError", code: "BAD_DROPOUT" }));
          expect(drop).toThrow(`keep must be a number above 0 up to 1, not ${share}`);
        }
      });
    },
  );

  test("the gradients of applyGate are those of differences, also where a gate serves several positions", () => {
    const gate = { shape: [3], values: [0.4, 1, -2] };
    checkGradient(([h, g], tape) => applyGate(h!, g!, tape), [a, gate], { backend });
    const maps = { shape: [2, 2, 3], values: [...a.values, ...b.values] };
    checkGradient(([h, g], tape) => applyGate(h!, g!, tape), [maps, gate], { backend });
    const flat = { shape: [2, 6], values: [...a.values, ...b.values] };
    checkGradient(([h, g], tape) => applyGate(h!, g!, tape), [flat, gate], { backend });
  });

  test("a gate of 0 selects +0 of an infinity, gives it no gradient, and has the gradient dy h itself", () => {
    tidy(() => {
      const h = tensor([Infinity, 3], [1, 2], { backend, requiresGrad: true });
      const gate = tensor([0, 0], [2], { backend, requiresGrad: true });
      const tape = new Tape();

      const y = applyGate(h, gate, tape);
      const gradients = tape.backward(sum(y, tape));

      expect([...y.data]).toEqual([0, 0]);
      expect([...gradients.get(h)!.data]).toEqual([0, 0]);
      expect([...gradients.get(gate)!.data]).toEqual([Infinity, 3]);
    });
  });
});

test("tensors of two shapes, and a gate that does not fit, are refused with both", () => {
  const backend = referenceBackend;
  tidy(() => {
    const [x, y] = [zeros([2, 3], { backend }), zeros([3, 2], { backend })];
    const both = expect.objectContaining({
      code: "SHAPE_MISMATCH",
      message: expect.stringMatching(/\[2, 3\].*\[3, 2\]/),
    });

    expect(() => add(x, y)).toThrow(ShapeError);
    expect(() => add(x, y)).toThrow(both);
    expect(() => multiply(x, y)).toThrow(both);
    expect(() => applyGate(x, zeros([2], { backend }))).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/2 units.*\[2, 3\]/),
      }),
    );
    expect(() => applyGate(x, zeros([0], { backend }))).toThrow(ShapeError);
  });
});
