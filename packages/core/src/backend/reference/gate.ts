import type { Kernels } from "../backend.ts";
import { checkPositive, checkSize, refuse } from "./argument.ts";

const { fround, exp, abs } = Math;

// 24 ln 2: from here on the float32 sigmoid is exactly 1, and the published gradient exactly 0.
const saturation = fround(24 * Math.LN2);
const smallestNormal = 2 ** -126;
const limit = 50; // thres_cosh of the published code

// The sigmoid as float32 arithmetic has it, and not the real one: where it becomes exactly 1 is part of HAT's learning rule.
function sigmoid32(x: number): number {
  const tail = fround(exp(-abs(x)));
  const z = tail < smallestNormal ? 0 : tail; // read as zero, as in the kernels and, where exp(89) overflows, as published
  const d = fround(1 + z);
  return fround(x < 0 ? z / d : 1 / d);
}

// Chain rule, from left to right.
function plainGradient(da: number, a: number, s: number): number {
  return fround(fround(fround(da * fround(1 - a)) * a) * s);
}

// (F): s_max sigmoid'(e) with u = exp(-|e|).
function closedGradient(da: number, e: number, sMax: number): number {
  const u = exp(-abs(e));
  return (da * sMax * u) / ((1 + u) * (1 + u));
}

// (B') in the published float32 arithmetic, from left to right: its rounding noise is part of the rule.
function officialGradient(da: number, e: number, s: number, sMaxOverS: number): number {
  const x = fround(s * e);
  const clamped = x < -limit ? -limit : x > limit ? limit : x;
  const numerator = fround(fround(Math.cosh(clamped)) + 1);
  const denominator = fround(fround(Math.cosh(e)) + 1);
  return fround(plainGradient(da, sigmoid32(x), s) * fround(fround(sMaxOverS * numerator) / denominator));
}

export const gateKernels: Pick<Kernels, "gateForward" | "gateBackward"> = {
  gateForward(e, a, s, rule) {
    checkSize("gateForward", "a", a, e.length);
    checkPositive("gateForward", "s", s);
    if (rule !== 0 && rule !== 1)
      refuse("gateForward", `rule is ${rule}, and must be 0 (windowed) or 1 (official)`);
    for (let i = 0; i < e.length; i++) {
      const x = fround(fround(s) * e[i]!);
      a[i] = rule === 0 && x < -limit ? 0 : sigmoid32(x);
    }
  },

  gateBackward(da, e, q, s, sMax, rule) {
    checkSize("gateBackward", "e", e, da.length);
    checkSize("gateBackward", "q", q, da.length);
    checkPositive("gateBackward", "s", s);
    checkPositive("gateBackward", "sMax", sMax);
    if (![0, 1, 2, 3].includes(rule)) {
      refuse(
        "gateBackward",
        `rule is ${rule}, and must be 0 (windowed), 1 (straight), 2 (official) or 3 (off)`,
      );
    }
    const [scale, largest] = [fround(s), fround(sMax)];
    const sMaxOverS = fround(sMax / s); // in double first, as published
    for (let i = 0; i < e.length; i++) {
      const x = fround(scale * e[i]!);
      switch (rule) {
        case 0:
          // Right of the window a unit is on: +0, or NaN where da is.
          if (x <= -limit) q[i] = 0;
          else q[i] = x >= saturation ? da[i]! - da[i]! : closedGradient(da[i]!, e[i]!, largest);
          break;
        case 1:
          q[i] = closedGradient(da[i]!, e[i]!, largest);
          break;
        case 2:
          q[i] = officialGradient(da[i]!, e[i]!, scale, sMaxOverS);
          break;
        default:
          q[i] = plainGradient(da[i]!, sigmoid32(x), scale);
      }
    }
  },
};
