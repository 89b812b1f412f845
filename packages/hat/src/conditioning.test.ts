import fc from "fast-check";
import { expect, inject, test } from "vitest";
import {
  channelSpaces,
  concat,
  conv2d,
  elements,
  flatten,
  forward,
  initialise,
  linear,
  network,
  parameterSpecs,
  referenceBackend,
  sequential,
  Stream,
  Tape,
  tensor,
  tidy,
  type Gradients,
  type Network,
  type Tensor,
} from "@milliner/core";
import { mean, multiply } from "@milliner/core/operations";
import { randomNetwork } from "@milliner/core/testing";
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

/** What unit each element of an edge is, by name and number: element by element, from the layers alone. */
function unitsOf(body: Network): (edge: string) => readonly (readonly [space: string, unit: number])[] {
  const known = new Map<string, readonly (readonly [string, number])[]>();
  const opened = (name: string, units: number) => Array.from({ length: units }, (_, i) => [name, i] as const);
  known.set("input", opened("input", body.inputShape.at(-1)!));
  for (const { name, layer, inputs } of body.nodes) {
    const [first] = inputs.map((input) => known.get(input)!);
    if (layer.kind === "linear" || layer.kind === "conv2d") known.set(name, opened(name, layer.outputs));
    else if (layer.kind === "concat")
      known.set(
        name,
        inputs.flatMap((input) => known.get(input)!),
      );
    else if (layer.kind === "flatten") {
      const { shape } = body.nodes.find((node) => node.name === inputs[0]) ?? { shape: body.inputShape };
      const pixels = elements(shape.slice(0, -1));
      known.set(name, Array.from({ length: pixels }, () => first!).flat());
    } else known.set(name, first!);
  }
  return (edge) => known.get(edge)!;
}

test("equation (2): each weight of any network is scaled by its own two units", () => {
  fc.assert(
    fc.property(fc.noShrink(fc.nat(1e9)), (seed) => {
      const body = randomNetwork(seed);
      fc.pre(!body.nodes.some(({ layer }) => layer.kind === "add")); // sums unite units: `unitsOf` does not
      const before = new Map(
        channelSpaces(body)
          .spaces.filter(({ name }) => name !== "input")
          .map(({ name, units }) => [name, new Stream(seed, name).uniform(units, 0, 1)]),
      );
      const of = unitsOf(body);
      const used = (edge: string, element: number): number => {
        const edges = of(edge);
        const [space, unit] = edges[element % edges.length]!;
        return before.get(space)?.[unit] ?? 1;
      };
      const parameters = initialise(body, { backend, seed });
      tidy(() => {
        const gradients = new Map(
          [...parameters.values()].map((t) => [t, tensor(t.toArray(), t.shape, { backend })]),
        );

        gradientConditioning(body, parameters, { get: (t: Tensor) => gradients.get(t) } as Gradients, before);

        for (const { name, node, role, shape } of parameterSpecs(body)) {
          const columns = elements(shape.slice(1));
          const found = gradients.get(parameters.get(name)!)!.data;
          parameters.get(name)!.data.forEach((raw, i) => {
            const post = used(node.name, Math.floor(i / columns));
            const pre = role === "weight" ? used(node.inputs[0]!, i % columns) : post;
            expect(found[i]).toBe(Math.fround(raw * Math.fround(1 - Math.min(post, pre))));
          });
        }
      });
      for (const t of parameters.values()) t.dispose();
    }),
    { numRuns: 100 * inject("soak") },
  );
});
