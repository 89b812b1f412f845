import { Bits, ConfigError, type TaskMasks, type Tensor } from "@milliner/core";
import type { Embeddings } from "./embeddings.ts";

/**
 * The units of a trained task. Equation (E):
 *
 *     m_i = [e_i > 0]
 *
 * By the sign of the embedding and not by the computed gate, which is exactly 1/2 for the smallest negative arguments. From
 * here on the task is evaluated with these bits only.
 *
 * @param c - compressibility of the training, for the advice in the error
 * @throws ConfigError (`CLOSED_LAYER`) when a layer keeps no unit: the network would be a constant
 */
export function harden(embeddings: Embeddings, c?: number): TaskMasks {
  const masks = positiveUnits(embeddings);
  const sparser = c === 0 ? "from another seed" : `with a smaller c${c === undefined ? "" : ` than ${c}`}`;
  for (const [space, bits] of masks) {
    if (bits.count() === 0) {
      throw new ConfigError(
        "CLOSED_LAYER",
        `the task closed all ${bits.length} units of "${space}", which leaves nothing to compute with; give the layer more ` +
          `units, or train ${sparser}`,
      );
    }
  }
  return masks;
}

/** The bits of (E) alone: a layer may have none, as before training by chance. */
export function positiveUnits(embeddings: Embeddings): TaskMasks {
  return new Map(
    [...embeddings].map(([space, e]) => [space, Bits.from(e.data.length, (i) => e.data[i]! > 0)]),
  );
}

/** Units whose gate at `sMax` is neither off nor on: 0.005 < a < 0.995. How many are left says whether training settled. */
export function undecidedUnits(e: Tensor, sMax: number): number {
  const edge = Math.log(0.995 / 0.005) / sMax;
  return e.data.reduce((count, value) => count + (Math.abs(value) < edge ? 1 : 0), 0);
}

/** Units whose gate at `sMax` is strictly between 0 and 1 in float32: those that leak under soft masks. */
export function fractionalUnits(e: Tensor, sMax: number): number {
  return e.data.reduce((count, value) => {
    const x = value * sMax;
    return count + (x > -88.7228 && x < 24 * Math.LN2 ? 1 : 0);
  }, 0);
}
