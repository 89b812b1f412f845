import fc from "fast-check";
import { expect, inject, test } from "vitest";
import { availableBackends, selectBackend } from "../backend/registry.ts";
import { Bits } from "../bits.ts";
import { ConfigError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { Stream } from "../philox.ts";
import { elements, tensor, type Tensor } from "../tensor.ts";
import { randomNetwork } from "../testing/random-network.ts";
import { channelSpaces } from "./channel-spaces.ts";
import { compact } from "./compact.ts";
import { forward } from "./forward.ts";
import { columnPattern } from "./locks.ts";
import {
  concat,
  conv2d,
  extend,
  flatten,
  inputName,
  linear,
  maxPool2d,
  network,
  relu,
  sequential,
} from "./network.ts";
import { initialise, parameterSpecs } from "./parameters.ts";
import { Plan, widened } from "./plan.ts";
import { UnitMasks } from "./unit-masks.ts";

const backend = selectBackend();

function bits({ data }: Tensor): readonly number[] {
  return [...new Uint32Array(data.slice().buffer)];
}

test("a compact network has the units of the mask and an ordinary shape", () => {
  const whole = network(
    [6, 6, 2],
    conv2d(4, 3),
    relu(),
    maxPool2d(2),
    flatten(),
    linear(5),
    relu(),
    linear(3),
  );
  const parameters = initialise(whole, { backend, seed: 1 });
  const masks = new Map([
    ["conv1", Bits.from(4, (i) => i !== 1)],
    ["fc1", Bits.from(5, (i) => i < 2)],
  ]);

  const small = compact(whole, parameters, masks);

  expect(parameterSpecs(small.network).map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
    "conv1.weight 3x3x3x2",
    "conv1.bias 3",
    "fc1.weight 2x12",
    "fc1.bias 2",
    "fc2.weight 3x2",
    "fc2.bias 3",
  ]);
  for (const { name, shape } of parameterSpecs(small.network))
    expect(small.parameters.get(name)!.shape).toEqual(shape);
  // Column 4 of the small fc1 is unit 2 of conv1 (the second that is kept) at position 1.
  expect(small.parameters.get("fc1.weight")!.data[4]).toBe(parameters.get("fc1.weight")!.data[1 * 4 + 2]);
});

test("branches joined by concat keep their own units", () => {
  const whole = network([4, 4, 1], concat(conv2d(2, 1), conv2d(3, 1)), flatten(), linear(2));
  const parameters = initialise(whole, { backend, seed: 2 });
  const masks = new Map([
    ["conv1", Bits.from(2, (i) => i === 1)],
    ["conv2", Bits.from(3, (i) => i !== 0)],
  ]);
  const gates = new Map(
    [...masks].map(([name, bits]) => [name, tensor(bits.toFloats(), [bits.length], { backend })]),
  );
  const x = tensor(
    Float32Array.from({ length: 16 }, (_, i) => i - 7),
    [1, 4, 4, 1],
    { backend },
  );

  const small = compact(whole, parameters, masks);

  const [masked, pruned] = tidy(() => [
    forward(whole, parameters, x, { gates }).toArray(),
    forward(small.network, small.parameters, x).toArray(),
  ]);
  expect(pruned).toEqual(masked);
});

test("branches that were flattened apart keep their own units: the second row of a weight is not the first's", () => {
  const branch = (name: string) => sequential(conv2d(2, 1, { name }), flatten());
  const whole = network([2, 2, 1], concat(branch("a"), branch("b")), linear(1));
  const parameters = initialise(whole, { backend, seed: 3 });
  const mask = Bits.from(2, (i) => i === 0);

  const small = compact(whole, parameters, new Map([["a", mask]]));

  const x = tensor([1, -2, 3, 4], [1, 2, 2, 1], { backend });
  const gates = new Map([["a", tensor(mask.toFloats(), [2], { backend })]]);
  expect(forward(small.network, small.parameters, x).toArray()).toEqual(
    forward(whole, parameters, x, { gates }).toArray(),
  );
  // Columns: pixel by pixel a's two units, then pixel by pixel b's.
  const columns = [0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const weight = parameters.get("fc1.weight")!.data;
  expect([...small.parameters.get("fc1.weight")!.data]).toEqual(columns.map((column) => weight[column]));
});

test.each(availableBackends().map((one) => [one.name, one] as const))(
  "any network is pruned to the bits that it has behind its masks, and gathered in a plan too, on the backend %s",
  (name, backend) => {
    fc.assert(
      fc.property(
        fc.noShrink(fc.nat(1e9)),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        (seed, density, rows) => {
          const body = randomNetwork(seed);
          const whole = extend(body, linear(3, { name: "head" }));
          const parameters = initialise(whole, { backend, seed });
          const masks = new Map(
            channelSpaces(body)
              .spaces.filter((space) => space.name !== inputName)
              .map((space) => {
                const draws = new Stream(seed, space.name).uniform(space.units, 0, 1);
                return [
                  space.name,
                  Bits.from(space.units, (i) => i === seed % space.units || draws[i]! < density),
                ];
              }),
          );
          const small = compact(whole, parameters, masks);
          const plan = new Plan(whole, parameters, widened(masks));

          tidy(() => {
            const gates = new Map(
              [...masks].map(([space, bits]) => [space, tensor(bits.toFloats(), [bits.length], { backend })]),
            );
            const pixels = new Stream(seed, "x").uniform(rows * elements(body.inputShape), -1, 1);
            const x = tensor(pixels, [rows, ...body.inputShape], { backend });
            const masked = bits(forward(whole, parameters, x, { gates }));

            expect(bits(forward(small.network, small.parameters, x))).toEqual(masked);
            expect(bits(forward(plan.network, plan.parameters, x, { gates: plan.gates(gates) }))).toEqual(
              masked,
            );
          });
          plan.dispose();
          for (const one of [...parameters.values(), ...small.parameters.values()]) one.dispose();
        },
      ),
      { numRuns: (name === "reference" ? 100 : 400) * inject("soak") },
    );
  },
);

test("a pattern of columns refuses what does not divide", () => {
  const edge = channelSpaces(network([3], linear(4))).edge("fc1");

  expect(() => columnPattern(edge, 6, () => undefined)).toThrow(
    expect.objectContaining({
      code: "SHAPE_MISMATCH",
      message: expect.stringContaining("6 columns") as string,
    }),
  );
  expect(columnPattern(edge, 8, () => undefined).count()).toBe(8);
});

test("a mask without units, or of another width, is refused by name", () => {
  const whole = network([3], linear(4), relu(), linear(2));
  const parameters = initialise(whole, { backend, seed: 1 });

  expect(() => compact(whole, parameters, new Map([["fc1", new Bits(4)]]))).toThrow(
    /mask of "fc1" uses none of its 4 units/,
  );
  expect(() => compact(whole, parameters, new Map([["fc1", Bits.ones(5)]]))).toThrow(ConfigError);
});

test("unit masks refuse missing layers and unknown tasks, and unite what tasks use", () => {
  const masks = new UnitMasks([{ name: "fc1", units: 3 }]);
  masks.set(4, new Map([["fc1", Bits.from(3, (i) => i === 0)]]));
  masks.set(7, new Map([["fc1", Bits.from(3, (i) => i === 2)]]));

  expect(() => masks.set(1, new Map())).toThrow(/task 1 needs 3 bits for "fc1"/);
  expect(() => masks.get(5)).toThrow(/task 5 has no masks/);
  expect([...masks.used("fc1").indices()]).toEqual([0, 2]);
  expect([...masks.used("fc1", [7]).indices()]).toEqual([2]);
});
