import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { referenceBackend } from "../backend/reference.ts";
import { ShapeError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { Tape } from "../tape.ts";
import { tensor, zeros } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { sum } from "./loss.ts";
import { maxPool2d } from "./max-pool2d.ts";

// A permutation of quarters: no two within 1/8 of each other, so that differences do not step over a tie.
function quarters(count: number): Float32Array {
  return Float32Array.from(new Stream(0, "quarters").permutation(count), (v) => (v - count / 2) / 4);
}

describe.each(availableBackends())("on $name", (backend) => {
  test("windows that do not fit are dropped", () => {
    tidy(() => {
      const x = tensor([1, 9, 3, 4, 5, 6, 7, 8, 2], [1, 3, 3, 1], { backend });

      const y = maxPool2d(x, [2, 2]);

      expect(y.shape).toEqual([1, 1, 1, 1]);
      expect(y.item()).toBe(9);
    });
  });

  test("the gradient is that of differences, where windows touch and where they overlap", () => {
    const input = [{ shape: [2, 4, 5, 2], values: quarters(80) }];
    checkGradient(([x], tape) => maxPool2d(x!, [2, 2], [2, 2], tape), input, { backend });
    checkGradient(([x], tape) => maxPool2d(x!, [3, 2], [1, 1], tape), input, { backend });
  });

  test("on a tie the first in row-major order has the gradient", () => {
    tidy(() => {
      const x = tensor([5, 5, 5, 5], [1, 2, 2, 1], { backend, requiresGrad: true });
      const tape = new Tape();

      const gradients = tape.backward(sum(maxPool2d(x, [2, 2], [2, 2], tape), tape));

      expect([...gradients.get(x)!.data]).toEqual([1, 0, 0, 0]);
    });
  });
});

test("what is not images, and images smaller than the window, are refused with their shape", () => {
  tidy(() => {
    const backend = referenceBackend;

    expect(() => maxPool2d(zeros([2, 8], { backend }), [2, 2])).toThrow(ShapeError);
    expect(() => maxPool2d(zeros([2, 1, 8, 3], { backend }), [2, 2])).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringMatching(/2 x 2.*\[2, 1, 8, 3\]/),
      }),
    );
  });
});
