import { describe, expect, test } from "vitest";
import { availableBackends, tensor, tidy, type Tensor } from "@milliner/core";
import { gateGradient } from "../compensation.ts";
import { gate } from "../gate.ts";
import { embeddingTolerance, expectClose, functionTolerance, gateUlps, slopeOf, ulp } from "./closeness.ts";

const sMax = 400;

// The arithmetic of one unit with dL/da = 1 and sMax = 400, as PyTorch computes it in float32 (`official`), and the closed
// form (F).
const scalars = [
  { e: 0.5, s: 0.0025, a: 0.500312507, official: 94.0014954, closed: 94.0014849 },
  { e: 1, s: 4, a: 0.982013762, official: 78.6448975, closed: 78.6447733 },
  { e: 1, s: 10, a: 0.999954581, official: 78.6809311, closed: 78.6447733 },
  { e: 1, s: 14, a: 0.999999166, official: 78.922554, closed: 78.6447733 },
  { e: 1, s: 16, a: 0.999999881, official: 83.3089752, closed: 78.6447733 },
  { e: 1, s: 16.6, a: 0.999999881, official: 151.798874, closed: 78.6447733 },
  { e: 1, s: 17, a: 1, official: 0, closed: 78.6447733 },
  { e: -1, s: 49, a: 5.2428857e-22, official: 78.644783, closed: 78.6447733 },
  { e: -1, s: 55, a: 1.29958139e-24, official: 0.529904306, closed: 78.6447733 },
  { e: -1, s: 60, a: 8.75651089e-27, official: 0.00357046677, closed: 78.6447733 },
  { e: -1, s: 88, a: 6.05460149e-39, official: 2.46876392e-15, closed: 78.6447733 },
  { e: -1, s: 89, a: 0, official: 0, closed: 78.6447733 },
  { e: 6, s: 2, a: 0.999993801, official: 0.995388627, closed: 0.986603717 },
  { e: 6, s: 3, a: 1, official: 0, closed: 0.986603717 },
  { e: -6, s: 9, a: 3.53262879e-24, official: 0.0180702768, closed: 0.986603717 },
  { e: 0.02, s: 400, a: 0.999664664, official: 99.9857025, closed: 99.9900007 },
  { e: 0.0415, s: 399, a: 0.999999881, official: 185.092331, closed: 99.9569561 },
];

describe.each(availableBackends())("one unit of the published arithmetic, backend $name", (backend) => {
  test.each(scalars)(
    "equation (B'): the published gradient at e = $e, s = $s, by its own gate",
    ({ e, s, a, official }) => {
      tidy(() => {
        const vector = (value: number): Tensor => tensor([value], [1], { backend });

        const [ours] = gate(vector(e), s, sMax, "official").data;
        const [q] = gateGradient(vector(1), vector(e), s, sMax, "official").data;

        expectClose("a", [ours!], [a], () => gateUlps * 2 * ulp * a + 2 ** -126);
        const tolerance = embeddingTolerance(official, a, slopeOf(e, s, true));
        expectClose("q'", [q!], [official], () => tolerance);
      });
    },
  );

  test.each(scalars)(
    "equation (F): the closed form at e = $e, s = $s, which the window cuts off",
    ({ e, s, closed }) => {
      tidy(() => {
        const vector = (value: number): Tensor => tensor([value], [1], { backend });

        const [straight] = gateGradient(vector(1), vector(e), s, sMax, "straight").data;
        const [windowed] = gateGradient(vector(1), vector(e), s, sMax, "windowed").data;

        const inside = -50 < s * e && s * e < 24 * Math.LN2;
        expectClose("straight", [straight!], [closed], () => functionTolerance * closed);
        expect(windowed).toBe(inside ? straight : 0);
      });
    },
  );
});
