import { forward, Sgd, Tape, type Locks, type Network, type Parameters } from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import type { Batch } from "@milliner/continual";
import { epochProgress, slope, type Annealing } from "./annealing.ts";
import type { Compensation } from "./compensation.ts";
import { softGates } from "./gates.ts";
import { namedEmbeddings, type Embeddings } from "./embeddings.ts";
import { allowsSleep, type Sleep } from "./sleep.ts";
import { regularisedLoss, sparsityRegulariser, type CumulativeGates } from "./regulariser.ts";

/** What a training step reads and writes. */
export interface TrainingModel {
  /** The body with the head of the task being learned. */
  readonly network: Network;
  readonly parameters: Parameters;
  /** Embeddings of the task being learned. */
  readonly embeddings: Embeddings;
  /** Units that earlier tasks use, as 0 and 1. */
  readonly used: CumulativeGates;
  /** Elements that earlier tasks read. */
  readonly locks: Locks;
  /**
   * Leaves units that are asleep out of the step; without it every unit is computed. The bits are the same: on a backend where
   * gathering changes them (`Backend.gatheringKeepsBits`), and under a rule that does not let units sleep, none is left out.
   */
  readonly sleep?: Sleep | undefined;
}

/** Settings of the step. */
export interface TrainingStepOptions {
  readonly annealing: Annealing;
  readonly compensation: Compensation;
  readonly sMax: number;
  readonly c: number;
  readonly seed: number;
  /** Steps of all tasks before this one: counts dropout. */
  readonly step: number;
}

// Embeddings are kept in [-6, 6]: beyond, the compensated gradient is too small to bring them back (Serrà et al. 2018, 2.5).
const embeddingClamp = 6;

/**
 * One step of HAT: soft gates at this batch's slope, loss with regulariser, gradients with compensation, and an update that
 * does not write what earlier tasks read. Runs inside the caller's `tidy`.
 *
 * @returns the loss before the step; when it is not finite, nothing has been changed
 * @throws NumericError when a gradient is not finite; nothing has been changed then either
 */
export function trainingStep(model: TrainingModel, batch: Batch, options: TrainingStepOptions): number {
  const { embeddings, used } = model;
  const { annealing, compensation, sMax, c, seed, step } = options;
  const s = slope(annealing, epochProgress(batch.batch, batch.batches), sMax);

  const tape = new Tape();
  const gates = softGates(embeddings, s, sMax, compensation, tape);
  // Before the forward, so that its gradient is added behind the gates' own: those of one gate are then summed alike, with
  // units asleep and without.
  const r = sparsityRegulariser(gates, used, tape);
  const { gatheringKeepsBits } = batch.images.backend;
  const sleep = allowsSleep(compensation) && gatheringKeepsBits ? model.sleep : undefined;
  const part = sleep?.awake(model, gates, batch.labels.length, tape) ?? {
    ...model,
    gates,
    numbers: undefined,
  };
  const { network, parameters, locks, numbers } = part;
  const training = { seed, step, numbers };
  const logits = forward(network, parameters, batch.images, { tape, gates: part.gates, training });
  const loss = regularisedLoss(crossEntropy(logits, batch.labels, tape), r, c, tape);
  if (!Number.isFinite(loss.item())) return loss.item();
  const gradients = tape.backward(loss);

  new Sgd({ lr: batch.lr }).step([...parameters, ...namedEmbeddings(embeddings)], gradients, locks);
  for (const e of embeddings.values())
    e.backend.kernels.clamp(e.data, -embeddingClamp, embeddingClamp, e.data);
  return loss.item();
}
