import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { tidy } from "../memory.ts";
import { tensor } from "../tensor.ts";
import { checkGradient } from "../testing/index.ts";
import { exp, log, sigmoid, tanh } from "./functions.ts";

describe.each(availableBackends())("on $name", (backend) => {
  const input = [{ shape: [2, 3], values: [-2, -0.7, -0.1, 0.3, 1, 2.5] }];

  test("the gradients of exp, tanh and sigmoid are those of differences", () => {
    checkGradient(([x], tape) => exp(x!, tape), input, { backend });
    checkGradient(([x], tape) => tanh(x!, tape), input, { backend });
    checkGradient(([x], tape) => sigmoid(x!, tape), input, { backend });
  });

  test("the gradient of log is that of differences", () => {
    checkGradient(([x], tape) => log(x!, tape), [{ shape: [4], values: [0.6, 1, 2, 7] }], { backend });
  });

  test("log undoes exp, and tanh x is 2 sigmoid(2 x) - 1", () => {
    tidy(() => {
      const x = tensor(input[0]!.values, [6], { backend });
      const twice = tensor(
        input[0]!.values.map((v) => 2 * v),
        [6],
        { backend },
      );

      log(exp(x)).data.forEach((v, i) => expect(v).toBeCloseTo(x.data[i]!, 6));
      const doubled = sigmoid(twice).data.map((v) => 2 * v - 1);
      tanh(x).data.forEach((v, i) => expect(v).toBeCloseTo(doubled[i]!, 6));
    });
  });
});
