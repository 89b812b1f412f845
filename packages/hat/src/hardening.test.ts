import { expect, test } from "vitest";
import { ConfigError, referenceBackend, tensor } from "@milliner/core";
import { fractionalUnits, harden, undecidedUnits } from "./hardening.ts";

const backend = referenceBackend;

test("equation (E): a unit is on where its embedding is above 0, however close", () => {
  const e = tensor([-1e-30, 0, 1e-30, -3, 2], [5], { backend });

  const bits = harden(new Map([["fc1", e]])).get("fc1")!;

  expect([...bits.indices()]).toEqual([2, 4]);
});

test("a layer whose units all closed is an error that names it", () => {
  const e = tensor([-1, 0], [2], { backend });

  expect(() => harden(new Map([["conv1", e]]))).toThrow(ConfigError);
  expect(() => harden(new Map([["conv1", e]]))).toThrow(/all 2 units of "conv1"/);
  for (const [c, advice] of [
    [0.75, "train with a smaller c than 0.75"],
    [0, "train from another seed"],
    [undefined, "train with a smaller c"],
  ] as const)
    expect(() => harden(new Map([["conv1", e]]), c)).toThrow(
      new RegExp(`; give the layer more units, or ${advice}$`),
    );
});

test("undecided and fractional units are counted by their published edges", () => {
  const e = tensor([0.0131, 0.0133, -0.0131, 0.0415, 0.0417, -0.2217, -0.2219], [7], { backend });

  expect(undecidedUnits(e, 400)).toBe(2);
  expect(fractionalUnits(e, 400)).toBe(5);
});
