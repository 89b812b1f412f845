import { expect, test } from "vitest";
import { Bits, referenceBackend, tensor, UnitMasks } from "@milliner/core";
import { cumulativeGate, usedUnits } from "./cumulative.ts";

test("equation (A): the cumulative gate is the maximum over the tasks so far", () => {
  const backend = referenceBackend;
  const first = cumulativeGate(new Map([["fc1", tensor([0.2, 1, 0], [3], { backend })]]), new Map());

  const second = cumulativeGate(new Map([["fc1", tensor([0.5, 0.25, 0], [3], { backend })]]), first);

  expect([...second.get("fc1")!]).toEqual([0.5, 1, 0]);
});

test("equation (A): on bits it is the union of the masks", () => {
  const masks = new UnitMasks([{ name: "fc1", units: 4 }]);
  masks.set(0, new Map([["fc1", Bits.from(4, (i) => i < 2)]]));
  masks.set(1, new Map([["fc1", Bits.from(4, (i) => i === 3)]]));

  expect([...usedUnits(masks).get("fc1")!]).toEqual([1, 1, 0, 1]);
  expect([...usedUnits(masks, [1]).get("fc1")!]).toEqual([0, 0, 0, 1]);
});
