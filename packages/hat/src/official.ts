import {
  checkKeys,
  checkNumber,
  clipGlobalNorm,
  ConfigError,
  forward,
  Sgd,
  Tape,
  type Network,
  type Parameters,
  type Tensor,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import { checkSMax } from "./annealing.ts";
import { gradientConditioning } from "./conditioning.ts";
import { gate } from "./gate.ts";
import { namedEmbeddings, type Embeddings } from "./embeddings.ts";
import { regularisedLoss, sparsityRegulariser, type CumulativeGates } from "./regulariser.ts";

/** What the published step reads and writes. */
export interface OfficialModel {
  /** The gated layers, without heads. */
  readonly body: Network;
  /** The body with the head of the task being learned. */
  readonly network: Network;
  readonly parameters: Parameters;
  /** Embeddings of the task being learned, by channel space. */
  readonly embeddings: Embeddings;
  /** Soft cumulative gates of the tasks before; empty at the first task. */
  readonly before: CumulativeGates;
}

/** The constants of the published code. */
export interface OfficialOptions {
  readonly lr: number;
  readonly sMax: number;
  readonly c: number;
  /** Largest global norm of the gradients. */
  readonly clipNorm: number;
  readonly embeddingClamp: number;
}

/** Serrà et al. 2018 and their code; lr is the first of the schedule. */
export const officialDefaults: OfficialOptions = {
  lr: 0.05,
  sMax: 400,
  c: 0.75,
  clipNorm: 10_000,
  embeddingClamp: 6,
};

/** A batch, and where it stands in its epoch: the published slope counts samples. */
export interface OfficialBatch {
  readonly images: Tensor;
  readonly labels: Int32Array;
  readonly sample: number;
  readonly samples: number;
  /** For dropout; without it there is none. */
  readonly training?: { readonly seed: number; readonly step: number } | undefined;
}

/** What one step was made of, for comparing it with another implementation. */
export interface OfficialStep {
  readonly s: number;
  readonly loss: number;
  readonly regulariser: number;
}

/**
 * One training step in the published arithmetic, whole: soft gates, soft conditioning, the compensation with its cosh in
 * float32, clipping by the global norm, SGD, clamp of the embeddings. It leaks where gates are fractions, as the original
 * does; what ships is `Hat`, with hard masks and locks. Runs inside the caller's `tidy`.
 *
 * It differs from the published code in what cannot be seen: other heads are not computed, and an update is one rounding.
 *
 * Source: joansj/hat, `approaches/hat.py`, one iteration of `train_epoch`.
 */
export function officialStep(
  model: OfficialModel,
  batch: OfficialBatch,
  options: OfficialOptions = officialDefaults,
): OfficialStep {
  const { body, network, parameters, embeddings, before } = model;
  const { sMax, c, lr, clipNorm, embeddingClamp } = options;
  checkOptions(options);
  const s = ((sMax - 1 / sMax) * batch.sample) / batch.samples + 1 / sMax;

  const tape = new Tape();
  const gates = new Map([...embeddings].map(([space, e]) => [space, gate(e, s, sMax, "official", tape)]));
  const logits = forward(network, parameters, batch.images, { tape, gates, training: batch.training });
  const r = sparsityRegulariser(gates, before, tape);
  const loss = regularisedLoss(crossEntropy(logits, batch.labels, tape), r, c, tape);
  const gradients = tape.backward(loss);

  try {
    if (before.size > 0) gradientConditioning(body, parameters, gradients, before);
    const everything = [...parameters, ...namedEmbeddings(embeddings)];
    clipGlobalNorm(everything, gradients, clipNorm);
    new Sgd({ lr }).step(everything, gradients);
  } finally {
    gradients.dispose(); // not `using`: a `node:vm` context of Node 20, as Jest's, has no Symbol.dispose
  }
  for (const e of embeddings.values())
    e.backend.kernels.clamp(e.data, -embeddingClamp, embeddingClamp, e.data);
  return { s, loss: loss.item(), regulariser: r.item() };
}

function checkOptions(options: OfficialOptions): void {
  checkKeys("officialStep", options, {
    lr: true,
    sMax: true,
    c: true,
    clipNorm: true,
    embeddingClamp: true,
  });
  const { sMax, c, embeddingClamp } = options;
  checkSMax(sMax);
  checkNumber("c", c, { from: 0 });
  // Infinity clamps nothing.
  if (!(embeddingClamp > 0))
    throw new ConfigError("BAD_VALUE", `embeddingClamp must be a number above 0, not ${embeddingClamp}`);
}
