import { expect, test } from "vitest";
import { referenceBackend, Tape, tensor, tidy } from "@milliner/core";
import { applyGate, multiply, sum } from "@milliner/core/operations";
import { checkGradient } from "@milliner/core/testing";
import { gate } from "./gate.ts";

const backend = referenceBackend;

test("equation (1): the gate is the sigmoid of s e, and multiplies the layer's output", () => {
  tidy(() => {
    const e = tensor([-2, -0.5, 0, 0.5, 2], [5], { backend });
    const h = tensor([1, 2, 3, 4, 5], [1, 5], { backend });

    const a = gate(e, 3, 400, "windowed");
    const gated = applyGate(h, a);

    e.data.forEach((value, i) => {
      expect(a.data[i]).toBeCloseTo(1 / (1 + Math.exp(-3 * value)), 6);
      expect(gated.data[i]).toBe(Math.fround(h.data[i]! * a.data[i]!));
    });
  });
});

test("a gate left of the window is exactly 0, and its unit's value is not multiplied but dropped", () => {
  tidy(() => {
    const e = tensor([-0.126, -0.124], [2], { backend });

    const a = gate(e, 400, 400, "windowed");
    const gated = applyGate(tensor([Infinity, 1], [1, 2], { backend }), a);

    expect(a.data[0]).toBe(0);
    expect(a.data[1]).toBeGreaterThan(0);
    expect(gated.data[0]).toBe(0);
  });
});

test("without compensation the gradient of the gate is its derivative", () => {
  const weights = [0.3, -1.2, 2];
  checkGradient(
    ([e], tape) => {
      const w = tensor(weights, [3], { backend });
      return sum(multiply(gate(e!, 2.5, 400, "off", tape), w, tape), tape);
    },
    [{ shape: [3], values: [-0.7, 0.1, 0.9] }],
    { backend },
  );
});

test("the tape gives the embeddings the compensated gradient", () => {
  tidy(() => {
    const e = tensor([-0.7, 0.1, 0.9], [3], { backend, requiresGrad: true });
    const tape = new Tape();

    const gradients = tape.backward(sum(gate(e, 2.5, 400, "windowed", tape), tape));

    const expected = [...e.data].map((x) => 400 / (2 * (Math.cosh(x) + 1)));
    gradients.get(e)!.data.forEach((q, i) => expect(q / expected[i]!).toBeCloseTo(1, 5));
  });
});
