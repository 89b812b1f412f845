import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Bits,
  channelSpaces,
  conv2d,
  extend,
  flatten,
  forward,
  initialise,
  inputName,
  linear,
  maxPool2d,
  network,
  relu,
  residual,
  selectBackend,
  sequential,
  Stream,
  tensor,
  tidy,
  UnitMasks,
} from "@milliner/core";
import { hardGates } from "./gates.ts";
import { prune } from "./prune.ts";

const backend = selectBackend();
const bodies = [
  network([7], linear(33), relu(), linear(20), relu()),
  network(
    [9, 8, 3],
    conv2d(6, 3, { padding: 1 }),
    relu(),
    conv2d(7, 2, { stride: 2 }),
    relu(),
    maxPool2d(2),
    flatten(),
    linear(12),
    relu(),
  ),
  network(
    [6, 6, 2],
    conv2d(5, 3, { padding: 1 }),
    relu(),
    residual(sequential(conv2d(5, 3, { padding: 1 }), relu())),
    flatten(),
  ),
];

test("the pruned network's logits are bit for bit those of the masked one", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.nat(1e6),
      fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      (body, seed, p) => {
        const whole = extend(body, linear(4, { name: "heads.0" }));
        const parameters = initialise(whole, { backend, seed });
        const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
        const masks = new UnitMasks(spaces);
        const bits = spaces.map(({ name, units }) => {
          const draws = new Stream(seed, name).uniform(units, 0, 1);
          return [name, Bits.from(units, (i) => i === seed % units || draws[i]! < p)] as const;
        });
        masks.set(0, new Map(bits));

        const pruned = prune({ network: () => whole, parameters, masks }, 0);

        tidy(() => {
          const count = 5 * body.inputShape.reduce((a, b) => a * b, 1);
          const x = tensor(new Stream(seed, "x").uniform(count, -1, 1), [5, ...body.inputShape], { backend });
          const masked = forward(whole, parameters, x, { gates: hardGates(masks.get(0), backend) });
          const compact = forward(pruned.network, pruned.parameters, x);
          masked.data.forEach((value, i) => expect(Object.is(compact.data[i], value)).toBe(true));
        });
        for (const t of [...parameters.values(), ...pruned.parameters.values()]) t.dispose();
      },
    ),
    { numRuns: 60 },
  );
});
