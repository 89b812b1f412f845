import { checkNumber, ShapeError, sameShape, Tensor } from "@milliner/core";
import { checkOneBackend } from "@milliner/core/operations";

/**
 * Which gradient the embeddings get. `official` and `windowed` are the same rule in the published and in a closed
 * arithmetic; `straight` and `off` are other rules, which need another `c`.
 */
export type Compensation = "windowed" | "official" | "straight" | "off";

/** All rules, for messages and configuration. */
export const compensations: readonly Compensation[] = ["windowed", "official", "straight", "off"];

const positive = { above: 0 } as const;

const kernelRule: Readonly<Record<Compensation, number>> = { windowed: 0, straight: 1, official: 2, off: 3 };

/**
 * Gradient of the gate embeddings, with the paper's compensation in it.
 *
 *     off       q  = da * s * a (1 - a)                                                       the chain rule
 *     official  q' = q * sMax (cosh(clamp(s e, -50, 50)) + 1) / (s (cosh(e) + 1))             Equation (B')
 *     straight  q' = da * sMax * sigmoid(e) (1 - sigmoid(e))                                  Equation (F)
 *     windowed  as `straight` where -50 < s e < 24 ln 2, else 0
 *
 * The paper writes Equation (B), q' = q * sMax sigmoid(e)(1 - sigmoid(e)) / (s sigmoid(s e)(1 - sigmoid(s e))), which is
 * (B') because sigmoid(x)(1 - sigmoid(x)) = 1 / (2 (cosh x + 1)). Inserting the chain rule cancels s and every quotient:
 * that is (F). The window stays because the published float32 arithmetic is 0, or close to it, outside: to the right of
 * 24 ln 2 the gate is exactly 1, to the left of -50 the clamp bites. Without it this is another learning rule.
 *
 * Source: Serrà et al. 2018, section 2.5.
 *
 * @param da - gradient of the loss with respect to the gates, shape [units]
 * @param e - embeddings of the task being learned, shape [units]
 * @param s - slope of the gates in this batch, > 0
 * @param sMax - largest slope of the schedule, > 0 (paper: 400)
 * @returns gradient with respect to `e`, shape [units]; the caller owns it
 * @throws ShapeError when `da` and `e` differ in shape
 * @throws ConfigError when `s` or `sMax` is not a positive float32, or the tensors are on two backends
 */
export function gateGradient(
  da: Tensor,
  e: Tensor,
  s: number,
  sMax: number,
  rule: Compensation = "windowed",
): Tensor {
  if (!sameShape(da.shape, e.shape)) {
    throw new ShapeError(
      "SHAPE_MISMATCH",
      `gateGradient: da has shape [${da.shape.join(", ")}], e has [${e.shape.join(", ")}]`,
    );
  }
  checkOneBackend("gateGradient", e, da);
  checkNumber("gateGradient: s", s, positive);
  checkNumber("gateGradient: sMax", sMax, positive);
  const q = new Tensor(e.shape, { backend: e.backend });
  e.backend.kernels.gateBackward(da.data, e.data, q.data, s, sMax, kernelRule[rule]);
  return q;
}
