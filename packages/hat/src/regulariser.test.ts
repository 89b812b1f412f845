import { expect, test } from "vitest";
import { referenceBackend, ShapeError, tensor, tidy, type Backend } from "@milliner/core";
import { checkGradient } from "@milliner/core/testing";
import { regularisedLoss, sparsityRegulariser } from "./regulariser.ts";

const backend = referenceBackend;

test("equation (5): one ratio over all layers, in which used units count on neither side", () => {
  tidy(() => {
    const gates = new Map([
      ["fc1", tensor([0.5, 1, 0.25], [3], { backend })],
      ["fc2", tensor([0.75, 0.1], [2], { backend })],
    ]);
    const before = new Map([
      ["fc1", Float32Array.of(0, 1, 0)],
      ["fc2", Float32Array.of(0, 1)],
    ]);

    const r = sparsityRegulariser(gates, before);

    expect(r.item()).toBeCloseTo((0.5 + 0.25 + 0.75) / 3, 6);
  });
});

test("where nothing is free R is 0, and what is no number passes through it all the same", () => {
  tidy(() => {
    const r = (gate: number, before: number): number =>
      sparsityRegulariser(
        new Map([["fc1", tensor([gate, 1], [2], { backend })]]),
        new Map([["fc1", Float32Array.of(before, 1)]]),
      ).item();

    expect(r(0.5, 1)).toBe(0);
    expect(r(NaN, 1)).toBeNaN();
    expect(r(NaN, 0)).toBeNaN();
    expect(r(0.5, NaN)).toBeNaN();
  });
});

test("equation (4): the loss is cross-entropy plus c times R", () => {
  tidy(() => {
    const loss = regularisedLoss(tensor([1.5], [1], { backend }), tensor([0.4], [1], { backend }), 0.75);

    expect(loss.item()).toBeCloseTo(1.5 + 0.75 * 0.4, 6);
  });
});

test("the gradient of R is that of central differences", () => {
  const before = new Map([["fc1", Float32Array.of(0, 1, 0.25)]]);
  checkGradient(
    ([a], tape) => sparsityRegulariser(new Map([["fc1", a!]]), before, tape),
    [{ shape: [3], values: [0.2, 0.9, 0.5] }],
    { backend },
  );
});

test("R is 0 and not NaN when no unit is free", () => {
  tidy(() => {
    const gates = new Map([["fc1", tensor([0.5, 1], [2], { backend })]]);

    expect(sparsityRegulariser(gates, new Map([["fc1", Float32Array.of(1, 1)]])).item()).toBe(0);
  });
});

test("cumulative gates of another width are refused", () => {
  const gates = new Map([["fc1", tensor([0.5, 1], [2], { backend })]]);

  expect(() => sparsityRegulariser(gates, new Map([["fc1", Float32Array.of(1)]]))).toThrow(ShapeError);
});

test("gates on two backends have no common sum, nor has a loss with a regulariser that is elsewhere", () => {
  const another: Backend = { ...referenceBackend, precision: "bf16" };
  tidy(() => {
    const of = (on: Backend) => tensor([0.5], [1], { backend: on });
    const mixed = new Map([
      ["fc1", of(backend)],
      ["fc2", of(another)],
    ]);
    const code = expect.objectContaining({ code: "MIXED_BACKENDS" });

    expect(() => sparsityRegulariser(mixed, new Map())).toThrow(code);
    expect(() => regularisedLoss(of(backend), of(another), 1)).toThrow(code);
  });
});
