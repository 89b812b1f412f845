import { expect, test } from "vitest";
import {
  concat,
  conv2d,
  elements,
  flatten,
  forward,
  initialise,
  linear,
  network,
  referenceBackend,
  sequential,
  Stream,
  Tape,
  tensor,
  tidy,
  type Network,
} from "@milliner/core";
import { mean, multiply } from "@milliner/core/operations";
import { gradientConditioning } from "./conditioning.ts";
import type { CumulativeGates } from "./regulariser.ts";

const backend = referenceBackend;

/** Gradients of a network's mean square on two examples, before and after conditioning. */
function conditioned(
  body: Network,
  before: CumulativeGates,
  check: (name: string, factors: number[]) => void,
) {
  const parameters = initialise(body, { backend, seed: 1 });
  const pixels = new Stream(1, "pixels").uniform(2 * elements(body.inputShape), 1, 2);
  const gradientsOf = () => {
    const tape = new Tape();
    const x = tensor(pixels, [2, ...body.inputShape], { backend });
    const y = forward(body, parameters, x, { tape });
    return tape.backward(mean(multiply(y, y, tape), tape));
  };
  tidy(() => {
    const plain = gradientsOf();
    const scaled = gradientsOf();

    gradientConditioning(body, parameters, scaled, before);

    for (const [name, t] of parameters) {
      const raw = plain.get(t)!.data;
      check(
        name,
        [...scaled.get(t)!.data].map((g, i) => (raw[i] === 0 ? NaN : g / raw[i]!)),
      );
    }
  });
}

test("equation (2): a weight's gradient is scaled by 1 - min of its units' cumulative gates, a bias's by 1 - its unit's", () => {
  const body = network([3], linear(2), linear(2));
  const before = new Map([
    ["fc1", Float32Array.of(0.25, 1)],
    ["fc2", Float32Array.of(0.5, 0)],
  ]);
  const expected: Record<string, number[]> = {
    "fc1.weight": [0.75, 0.75, 0.75, 0, 0, 0],
    "fc1.bias": [0.75, 0],
    "fc2.weight": [0.75, 0.5, 1, 1],
    "fc2.bias": [0.5, 1],
  };

  conditioned(body, before, (name, factors) => {
    expect(factors).toHaveLength(expected[name]!.length);
    factors.forEach((factor, i) => expect(factor).toBeCloseTo(expected[name]![i]!, 6));
  });
});

test("equation (2): where inputs of a layer were flattened apart, each weight is scaled by its own two units", () => {
  // Columns of fc2: two pixels of conv1's two units, the two pixels themselves, fc1's one unit.
  const body = network(
    [2, 1, 1],
    concat(sequential(conv2d(2, 1), flatten()), flatten(), sequential(flatten(), linear(1))),
    linear(1),
  );
  const before = new Map([
    ["conv1", Float32Array.of(1, 0)],
    ["fc1", Float32Array.of(0.25)],
    ["fc2", Float32Array.of(0.75)],
  ]);

  conditioned(body, before, (name, factors) => {
    if (name !== "fc2.weight") return;
    // 1 - min(0.75, pre); the input is used by every task.
    [0.25, 1, 0.25, 1, 0.25, 0.25, 0.75].forEach((factor, i) => expect(factors[i]).toBeCloseTo(factor, 6));
  });
});
