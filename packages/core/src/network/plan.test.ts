import { describe, expect, test } from "vitest";
import { availableBackends } from "../backend/registry.ts";
import { Bits } from "../bits.ts";
import { ConfigError } from "../errors.ts";
import { memoryUse, tidy } from "../memory.ts";
import { Tape } from "../tape.ts";
import { tensor } from "../tensor.ts";
import { multiply, sum } from "../operations/index.ts";
import { LockBits, Locks } from "./locks.ts";
import { conv2d, dropout, flatten, linear, network, relu } from "./network.ts";
import { initialise } from "./parameters.ts";
import { Plan, widened, widenedCount } from "./plan.ts";
import { networkWork } from "./work.ts";

test("a plan is widened to whole vectors, never to a crowded stride, and never beyond the layer", () => {
  expect(
    [0, 1, 16, 17, 240, 241, 248, 249, 256, 500, 2000].map((needed) => widenedCount(needed, 2000)),
  ).toEqual([16, 16, 16, 32, 240, 248, 248, 272, 272, 504, 2000]);
  expect(widenedCount(250, 255)).toBe(255);
  for (const needed of [0, 3, 100, 700]) {
    const bits = Bits.from(700, (i) => (i * 37) % 700 < needed);

    const wide = widened(new Map([["fc1", bits]])).get("fc1")!;

    expect(wide.count()).toBe(widenedCount(needed, 700));
    expect(bits.indices().every((unit) => wide.get(unit))).toBe(true);
  }
});

test("the work of a part is that of its units, by pixel behind a convolution", () => {
  const body = network([5, 5, 2], conv2d(4, 3), relu(), flatten(), linear(6));

  expect(networkWork(body)).toEqual({ multiplyAdds: 9 * 4 * 18 + 6 * 36, weights: 4 * 18 + 6 * 36 });
  expect(networkWork(body, (space) => (space === "conv1" ? 1 : undefined))).toEqual({
    multiplyAdds: 9 * 18 + 6 * 9,
    weights: 18 + 6 * 9,
  });
});

describe.each(availableBackends())("on the backend $name", (backend) => {
  const body = network([3], dropout(0.1), linear(5), relu(), dropout(0.5), linear(4));
  const units = new Map([
    ["fc1", Bits.from(5, (i) => i !== 1)],
    ["fc2", Bits.from(4, (i) => i % 2 === 1)],
  ]);

  test("what is trained in a plan is written back where it belongs, and never where it is locked", () => {
    const buffers = memoryUse().buffers;
    const parameters = initialise(body, { backend, seed: 1 });
    const weight = parameters.get("fc2.weight")!;
    const before = weight.toArray();
    const locks = new Locks();
    const bits = new LockBits([4, 5]);
    bits.lockRow(
      3,
      Bits.from(5, (i) => i === 2),
    );
    locks.set("fc2.weight", bits);

    const plan = new Plan(body, parameters, units, locks);
    const part = plan.parameters.get("fc2.weight")!;
    const gathered = part.toArray();
    part.data.fill(7);
    plan.writeBack();

    const isPlanned = (i: number): boolean => Math.floor(i / 5) % 2 === 1 && i % 5 !== 1;
    expect(gathered).toEqual(before.filter((_, i) => isPlanned(i)));
    expect(weight.toArray()).toEqual(before.map((w, i) => (isPlanned(i) && i !== 3 * 5 + 2 ? 7 : w)));
    expect(plan.locks.get("fc2.weight")!.count()).toBe(1);
    expect(plan.locks.get("fc2.weight")!.isLocked(1, 1)).toBe(true);
    plan.dispose();
    for (const one of parameters.values()) one.dispose();
    expect(memoryUse().buffers).toBe(buffers);
  });

  test("a plan numbers the units of its dropout layers as the whole network does", () => {
    const parameters = initialise(body, { backend, seed: 1 });

    const plan = new Plan(body, parameters, units);

    expect([...plan.numbers].map(([name, numbers]) => [name, ...numbers])).toEqual([
      ["dropout1", 0, 1, 2],
      ["dropout2", 0, 2, 3, 4],
    ]);
    plan.dispose();
  });

  test("gradients of a plan's gates go back to the gates of all units", () => {
    tidy(() => {
      const parameters = initialise(body, { backend, seed: 1 });
      const plan = new Plan(body, parameters, units);
      const gate = tensor([1, 2, 3, 4, 5], [5], { backend, requiresGrad: true });
      const tape = new Tape();

      const part = plan.gates(new Map([["fc1", gate]]), tape).get("fc1")!;
      using gradients = tape.backward(sum(multiply(part, part, tape), tape));

      expect([...part.data]).toEqual([1, 3, 4, 5]);
      expect([...gradients.get(gate)!.data]).toEqual([2, 0, 6, 8, 10]);
      plan.dispose();
    });
  });

  test("a plan without units in a layer, or of another width, is refused", () => {
    const parameters = initialise(body, { backend, seed: 1 });

    expect(() => new Plan(body, parameters, new Map([["fc1", new Bits(5)]]))).toThrow(
      /uses none of its 5 units/,
    );
    expect(() => new Plan(body, parameters, new Map([["fc1", Bits.ones(6)]]))).toThrow(ConfigError);
  });
});
