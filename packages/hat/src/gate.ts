import { Tensor, type Tape } from "@milliner/core";
import { gateGradient, type Compensation } from "./compensation.ts";

/**
 * The gates of one layer. Equation (1):
 *
 *     a = sigmoid(s e)
 *
 * applied to the units of the layer by `forward(..., { gates })`. Under every rule but `official`, a gate left of the
 * window, s e < -50, is 0 by definition, and the unit's weights do not move in that step. (What the sigmoid would give there
 * is below 2e-22.) Under `windowed` the unit is asleep: its embedding does not move either.
 *
 * Source: Serrà et al. 2018, section 2.2, (1).
 *
 * @param e - embeddings of the task, shape [units]
 * @param s - slope, > 0
 * @param sMax - largest slope of the schedule; enters the gradient only
 * @param compensation - which gradient `e` gets, see `gateGradient`
 * @returns shape [units], in [0, 1]; the caller owns it
 */
export function gate(e: Tensor, s: number, sMax: number, compensation: Compensation, tape?: Tape): Tensor {
  const a = new Tensor(e.shape, { backend: e.backend });
  e.backend.kernels.gateForward(e.data, a.data, s, compensation === "official" ? 1 : 0);
  tape?.record("gate", [e], a, (da, sink) => sink.add(e, gateGradient(da, e, s, sMax, compensation)));
  return a;
}
