import { expect, test } from "vitest";
import {
  forward,
  initialise,
  linear,
  network,
  referenceBackend,
  relu,
  Tape,
  tensor,
  tidy,
} from "@milliner/core";
import { mean, multiply } from "@milliner/core/operations";
import { gradientConditioning } from "./conditioning.ts";

const backend = referenceBackend;

test("equation (2): a weight's gradient is scaled by 1 - min of its units' cumulative gates, a bias's by 1 - its unit's", () => {
  const body = network([3], linear(2), relu(), linear(2));
  const parameters = initialise(body, { backend, seed: 1 });
  const before = new Map([
    ["fc1", Float32Array.of(0.25, 1)],
    ["fc2", Float32Array.of(0.5, 0)],
  ]);
  const gradientsOf = () => {
    const tape = new Tape();
    const y = forward(body, parameters, tensor([1, 2, 3, -1, 0.5, 2], [2, 3], { backend }), { tape });
    return tape.backward(mean(multiply(y, y, tape), tape));
  };
  tidy(() => {
    const plain = gradientsOf();
    const conditioned = gradientsOf();

    gradientConditioning(body, parameters, conditioned, before);

    const factor: Record<string, (i: number) => number> = {
      "fc1.weight": (i) => [0.75, 0][Math.floor(i / 3)]!,
      "fc1.bias": (i) => [0.75, 0][i]!,
      "fc2.weight": (i) => [0.75, 0.5, 1, 1][i]!,
      "fc2.bias": (i) => [0.5, 1][i]!,
    };
    for (const [name, t] of parameters) {
      const raw = plain.get(t)!.data;
      conditioned.get(t)!.data.forEach((g, i) => expect(g).toBe(Math.fround(raw[i]! * factor[name]!(i))));
    }
  });
});
