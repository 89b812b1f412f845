import { expect, test } from "vitest";
import { selectBackend } from "../backend/registry.ts";
import { Bits } from "../bits.ts";
import { ConfigError } from "../errors.ts";
import { tidy } from "../memory.ts";
import { tensor } from "../tensor.ts";
import { compact } from "./compact.ts";
import { forward } from "./forward.ts";
import { UnitMasks } from "./unit-masks.ts";
import { concat, conv2d, flatten, linear, maxPool2d, network, relu } from "./network.ts";
import { initialise, parameterSpecs } from "./parameters.ts";

const backend = selectBackend();

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
