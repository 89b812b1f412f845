import {
  Bits,
  channelSpaces,
  dropout,
  extend,
  forward,
  initialise,
  inputName,
  linear,
  Locks,
  network,
  relu,
  Sgd,
  Stream,
  Tape,
  tensor,
  tidy,
  UnitMasks,
  type Backend,
  type Network,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import { initialEmbeddings, protect, trainingStep, usedUnits } from "@milliner/hat";
import type { Candidate, Cost } from "./interleave.ts";

const [inputs, units, classes, batchSize] = [784, 2000, 10, 64];
const [lr, sMax, c, seed] = [0.05, 400, 0.75, 1];

/**
 * Floating-point operations of one training step without masks, two for a multiply-add: forward, the gradients of all
 * weights, and the gradients of the hidden layers' inputs. Counted alike for steps that skip some of them.
 */
export const stepFlops: number =
  2 * batchSize * (2 * inputs * units + 3 * units * units + 3 * units * classes);

// The published MLP: dropout 0.2 on the input, 0.5 on the hidden layers.
const body: Network = network(
  [inputs],
  dropout(0.2),
  linear(units),
  relu(),
  dropout(0.5),
  linear(units),
  relu(),
  dropout(0.5),
);
const withHead: Network = extend(body, linear(classes, { name: "head" }));

/** A step of ours. */
export type OurCase =
  | { readonly kind: "sgd" }
  | {
      readonly kind: "hat";
      readonly s: number;
      /** Half of each layer's units are protected. */
      readonly protected: boolean;
    };

/** A step of ours, with state and inputs of its own: HAT's exactly as `Hat` trains, or plain SGD on the same layers. */
export function ourStep(backend: Backend, stepCase: OurCase): Candidate {
  const parameters = initialise(withHead, { backend, seed });
  const images = tensor(digits(), [batchSize, inputs], { backend });
  const labels = Int32Array.from({ length: batchSize }, (_, i) => i % classes);
  let step = 0;
  const once = stepCase.kind === "sgd" ? plainStep : hatStep(stepCase.s, stepCase.protected);
  return { name: stepCase.kind === "sgd" ? "our SGD step" : "our HAT step", run };

  async function run(count: number): Promise<Cost> {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < count; i++, step++) tidy(once);
    const { user, system } = process.cpuUsage(cpu);
    return { cpuSeconds: (user + system) * 1e-6, wallSeconds: (performance.now() - wall) * 1e-3 };
  }

  function plainStep(): number {
    const tape = new Tape();
    const logits = forward(withHead, parameters, images, { tape, training: { seed, step } });
    const loss = crossEntropy(logits, labels, tape);
    using gradients = tape.backward(loss);
    new Sgd({ lr }).step(parameters, gradients);
    return loss.item();
  }

  function hatStep(s: number, isProtected: boolean): () => number {
    const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
    const masks = new UnitMasks(spaces);
    if (isProtected)
      masks.set(0, new Map(spaces.map(({ name }) => [name, Bits.from(units, (i) => i % 2 === 1)])));
    const model = {
      network: withHead,
      parameters,
      embeddings: initialEmbeddings(spaces, masks.tasks.length, { seed, backend }),
      used: usedUnits(masks),
      locks: isProtected ? protect(body, masks, "min") : new Locks(),
    };
    // Between the first of two batches, where s is 1/sMax, and the second, where it is sMax.
    const progress = (s - 1 / sMax) / (sMax - 1 / sMax);
    const batch = {
      images,
      labels,
      lr,
      batch: progress,
      batches: 2,
      sample: 0,
      samples: 2 * batchSize,
      step: 0,
    };
    return () =>
      trainingStep(model, batch, { annealing: "linear", compensation: "windowed", sMax, c, seed, step });
  }
}

/** A batch like digits: four of five pixels are 0. */
function digits(): Float32Array {
  const stream = new Stream(seed, "benchmark/digits");
  const shown = stream.uniform(batchSize * inputs, 0, 1, 0);
  return stream.uniform(batchSize * inputs, 0, 1, 1).map((pixel, i) => (shown[i]! < 0.8 ? 0 : pixel));
}
