import {
  Bits,
  channelSpaces,
  extend,
  forward,
  initialise,
  inputName,
  linear,
  Locks,
  Sgd,
  Stream,
  Tape,
  tensor,
  tidy,
  UnitMasks,
  type Backend,
  type ChannelSpace,
  type Network,
  type Parameters,
} from "@milliner/core";
import { crossEntropy } from "@milliner/core/operations";
import {
  initialEmbeddings,
  protect,
  Sleep,
  trainingStep,
  usedUnits,
  type TrainingModel,
} from "@milliner/hat";
import type { Candidate, Cost } from "./interleave.ts";
import { batchSize, classes, publishedNetworks, type NetworkName } from "./published-networks.ts";

const [sMax, c, seed] = [400, 0.75, 1];
// So small that a thousand steps on one batch leave the network as it was drawn, with half of each layer's units positive: a
// network that has learned this batch by heart has hardly any, and what is zero is not computed.
const lr = 1e-6;

/** A step of ours. */
export interface OurCase {
  readonly network: NetworkName;
  /** HAT's step, or plain SGD on the same layers. */
  readonly kind: "hat" | "sgd";
  /** Slope of the gates. */
  readonly s: number;
  /** From 1 up, half of each layer's units are protected by rule `min`. */
  readonly task: number;
  /** Share of each layer's units that are awake, as many of the protected as of the others; they are left so by the steps. */
  readonly density: 0.5 | 1;
}

/** State and inputs of one kind of step. */
export interface OurStep extends Candidate {
  /** Does one step and frees what it made. */
  once(): void;
}

/** A step of ours, with state and inputs of its own: HAT's exactly as `Hat` trains, or plain SGD on the same layers. */
export function ourStep(backend: Backend, stepCase: OurCase): OurStep {
  const { body, input } = publishedNetworks[stepCase.network];
  const network = extend(body, linear(classes, { name: "head" }));
  const parameters = initialise(network, { backend, seed });
  const images = tensor(normalisedImages(input), [batchSize, ...input], { backend });
  const labels = Int32Array.from({ length: batchSize }, (_, i) => i % classes);
  let step = 0;
  const work = stepCase.kind === "sgd" ? plainStep : hatStep();
  return { name: stepCase.kind === "sgd" ? "our SGD step" : "our HAT step", run, once };

  function once(): void {
    tidy(work);
    step++;
  }

  async function run(count: number): Promise<Cost> {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < count; i++) once();
    const { user, system } = process.cpuUsage(cpu);
    return { cpuSeconds: (user + system) * 1e-6, wallSeconds: (performance.now() - wall) * 1e-3 };
  }

  function plainStep(): number {
    const tape = new Tape();
    const logits = forward(network, parameters, images, { tape, training: { seed, step } });
    const loss = crossEntropy(logits, labels, tape);
    using gradients = tape.backward(loss);
    new Sgd({ lr }).step(parameters, gradients);
    return loss.item();
  }

  function hatStep(): () => number {
    const model = trainingModel(backend, stepCase, body, network, parameters);
    // Between the first of two batches, where s is 1/sMax, and the second, where it is sMax.
    const progress = (stepCase.s - 1 / sMax) / (sMax - 1 / sMax);
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

function trainingModel(
  backend: Backend,
  { task, density }: OurCase,
  body: Network,
  network: Network,
  parameters: Parameters,
): TrainingModel {
  const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
  const masks = new UnitMasks(spaces);
  if (task > 0)
    masks.set(
      0,
      new Map(spaces.map((space) => [space.name, Bits.from(space.units, halfOf(space, "protected"))])),
    );
  const embeddings = initialEmbeddings(spaces, task, { seed, backend });
  for (const space of spaces) {
    const isAwake = density < 1 ? halfOf(space, "awake") : () => true;
    const e = embeddings.get(space.name)!;
    e.data.set(e.data.map((_, unit) => (isAwake(unit) ? 1 : -6)));
  }
  return {
    network,
    parameters,
    embeddings,
    used: usedUnits(masks),
    locks: task > 0 ? protect(body, masks, "min") : new Locks(),
    sleep: density < 1 ? new Sleep() : undefined,
  };
}

// Units in an order drawn at random; the four quarters of it are the combinations of protected and awake.
function halfOf({ name, units }: ChannelSpace, which: "protected" | "awake"): (unit: number) => boolean {
  const order = new Stream(seed, `benchmark/${name}`).permutation(units);
  const quarter = new Uint8Array(units);
  order.forEach((unit, i) => (quarter[unit] = Math.floor((4 * i) / units)));
  const bit = which === "protected" ? 1 : 2;
  return (unit) => (quarter[unit]! & bit) !== 0;
}

/** A batch of images as normalising leaves them: no pixel is 0. */
function normalisedImages(shape: readonly number[]): Float32Array {
  const count = batchSize * shape.reduce((product, side) => product * side, 1);
  return new Stream(seed, "benchmark/images").normal(count, 0, 1);
}
