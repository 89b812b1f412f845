import type { Kernels } from "../backend.ts";
import { checkKeep, checkSize, refuse } from "./argument.ts";

/** `v` behind a gate, as float32. A gate of 0 selects +0 and does not multiply: 0 * inf is NaN. */
export function gated(v: number, gate: number): number {
  return gate === 0 ? 0 : Math.fround(v * gate);
}

export const activationKernels: Pick<Kernels, "activationBackward" | "gateApply"> = {
  activationBackward(dy, h, gate, dv, dgate, dbias, rows, units, relu, keep) {
    const kernel = "activationBackward";
    checkSize(kernel, "dy", dy, rows * units);
    checkSize(kernel, "h", h, rows * units);
    checkSize(kernel, "gate", gate, units);
    checkSize(kernel, "dv", dv, rows * units);
    checkSize(kernel, "dgate", dgate, units);
    checkSize(kernel, "dbias", dbias, units);
    checkKeep(kernel, keep);
    if (h === null && (relu || dgate !== null)) {
      refuse(kernel, `h is missing; ${relu ? "relu" : "dgate"} needs it`);
    }
    const scale = Math.fround(1 / keep);
    for (let unit = 0; unit < units; unit++) {
      let gateSum = 0;
      let biasSum = 0;
      for (let row = 0; row < rows; row++) {
        const at = row * units + unit;
        const d = dy[at]!; // read before dv is written: they may be one array
        if (h !== null) gateSum += d * h[at]!;
        const u = gate === null ? d : gated(d, gate[unit]!);
        const v = relu && h![at]! <= 0 ? 0 : Math.fround(u * scale);
        dv[at] = v;
        biasSum += v;
      }
      if (dgate !== null) dgate[unit] = gateSum;
      if (dbias !== null) dbias[unit] = biasSum;
    }
  },

  gateApply(h, gate, y, rows, units) {
    checkSize("gateApply", "h", h, rows * units);
    checkSize("gateApply", "gate", gate, units);
    checkSize("gateApply", "y", y, rows * units);
    for (let at = 0; at < rows * units; at++) y[at] = gated(h[at]!, gate[at % units]!);
  },
};
