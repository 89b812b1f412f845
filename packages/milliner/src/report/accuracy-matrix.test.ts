import { expect, test } from "vitest";
import { heatStyle } from "./accuracy-matrix.ts";

const channel = (value: number): number =>
  value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;

test.each(["light", "dark"] as const)(
  "text on every colour of the %s matrix has a contrast of 4.5 at least",
  (scheme) => {
    const rules = [...heatStyle(scheme).matchAll(/background:rgb\((\d+), (\d+), (\d+)\);color:#(000|fff)/g)];

    const contrasts = rules.map(([, r, g, b, text]) => {
      const l = 0.2126 * channel(Number(r)) + 0.7152 * channel(Number(g)) + 0.0722 * channel(Number(b));
      return text === "000" ? (l + 0.05) / 0.05 : 1.05 / (l + 0.05);
    });

    expect(contrasts).toHaveLength(8);
    for (const contrast of contrasts) expect(contrast).toBeGreaterThanOrEqual(4.5);
  },
);
