import { expect, test } from "vitest";
import { referenceBackend } from "../backend/reference.ts";
import { memoryUse } from "../memory.ts";
import { multiply, relu, scale, sum } from "../operations/index.ts";
import type { Tape } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { checkGradient } from "./gradients.ts";

const backend = referenceBackend;
const inputs = [{ shape: [3], values: [0.5, -1, 2] }];

// The square of x with a gradient of our own.
function square(x: Tensor, gradient: (x: number) => number, tape: Tape): Tensor {
  const y = multiply(x, x);
  tape.record("square", [x], y, (dy, sink) => {
    const dx = new Tensor(x.shape, { backend });
    dx.data.forEach((_, i) => (dx.data[i] = dy.data[i]! * gradient(x.data[i]!)));
    sink.add(x, dx);
  });
  return y;
}

test("a right gradient passes; one that is off by half a percent is named with input, element and both numbers", () => {
  checkGradient(([x], tape) => square(x!, (v) => 2 * v, tape), inputs, { backend });

  expect(() => checkGradient(([x], tape) => square(x!, (v) => 2.01 * v, tape), inputs, { backend })).toThrow(
    /input 0 \[3\] at element 0 is 0\.50.* by the tape and 0\.5 by/,
  );
});

test("a gradient that was forgotten is found, and an input without influence has one of 0", () => {
  expect(() => checkGradient(([x]) => multiply(x!, x!), inputs, { backend })).toThrow("central differences");

  checkGradient(([, y], tape) => scale(y!, 2, tape), [inputs[0]!, inputs[0]!], { backend });
});

test("a sign that is wrong in one element is not hidden by the others", () => {
  expect(() =>
    checkGradient(
      ([x], tape) =>
        sum(
          square(x!, (v) => (v < 0 ? -2 : 2) * v, tape),
          tape,
        ),
      inputs,
      { backend },
    ),
  ).toThrow("at element 1");
});

test("differences across a kink are refused, so a careless test is red and not green", () => {
  const near = [{ shape: [1], values: [0.01] }];

  expect(() => checkGradient(([x], tape) => relu(x!, tape), near, { backend })).toThrow(
    "central differences",
  );
});

test("no buffer is left behind", () => {
  const before = memoryUse();

  checkGradient(([x], tape) => multiply(x!, x!, tape), inputs, { backend });

  expect(memoryUse()).toEqual(before);
});
