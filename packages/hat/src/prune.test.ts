import fc from "fast-check";
import { expect, inject, test } from "vitest";
import {
  Bits,
  channelSpaces,
  extend,
  forward,
  initialise,
  inputName,
  linear,
  selectBackend,
  Stream,
  tensor,
  tidy,
  UnitMasks,
} from "@milliner/core";
import { randomNetwork } from "@milliner/core/testing";
import { hardGates } from "./gates.ts";
import { prune } from "./prune.ts";

const backend = selectBackend();
test("any network's pruned logits are bit for bit those of the masked one", () => {
  fc.assert(
    fc.property(fc.noShrink(fc.nat(1e9)), fc.double({ min: 0.05, max: 0.95, noNaN: true }), (seed, p) => {
      const body = randomNetwork(seed);
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
    }),
    { numRuns: 300 * inject("soak") },
  );
});
