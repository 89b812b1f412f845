import {
  channelSpaces,
  extend,
  initialise,
  inputName,
  linear,
  Locks,
  networkWork,
  Stream,
  Tensor,
  tidy,
  UnitMasks,
  type Backend,
} from "@milliner/core";
import type { Split } from "@milliner/continual";
import {
  epochProgress,
  initialEmbeddings,
  Sleep,
  slope,
  trainingStep,
  usedUnits,
  type TrainingModel,
} from "@milliner/hat";
import type { Cost } from "./interleave.ts";
import {
  batchSize,
  classes,
  publishedNetworks,
  type NetworkName,
  type PublishedNetwork,
} from "./published-networks.ts";

const [lr, sMax, c, seed] = [0.05, 400, 0.75, 1];

/** Left of this value of s e a gate is 0 by definition (hat.md 3.5). */
const asleep = -50;

/** Values of all parameters and embeddings, by name. */
export type TrainingState = ReadonlyMap<string, Float32Array>;

/** The slope of a step of an epoch. */
export function slopeOf(step: number, steps: number): number {
  return slope("linear", epochProgress(step, steps), sMax);
}

/** Task 0 of a published network, trained step by step. */
export class EpochTraining {
  readonly #published: PublishedNetwork;
  readonly #split: Split;
  readonly #backend: Backend;
  readonly #model: TrainingModel;
  #epoch = 0;
  #order: Uint32Array;

  /**
   * @param split - images of the network's size; an epoch that is longer goes on with its first ones
   * @param options - `state`: where to begin, default as initialised; `sleep`: whether units that are asleep are left out
   */
  constructor(
    backend: Backend,
    name: NetworkName,
    split: Split,
    options: { readonly state?: TrainingState; readonly sleep: boolean },
  ) {
    this.#published = publishedNetworks[name];
    const { body } = this.#published;
    const network = extend(body, linear(classes, { name: "head" }));
    const spaces = channelSpaces(body).spaces.filter(({ name }) => name !== inputName);
    this.#split = split;
    this.#backend = backend;
    this.#model = {
      network,
      parameters: initialise(network, { backend, seed }),
      embeddings: initialEmbeddings(spaces, 0, { seed, backend }),
      used: usedUnits(new UnitMasks(spaces)),
      locks: new Locks(),
      sleep: options.sleep ? new Sleep() : undefined,
    };
    for (const [tensorName, tensor] of this.#tensors()) {
      const values = options.state?.get(tensorName);
      if (values !== undefined) tensor.data.set(values);
    }
    this.#order = this.#shuffled();
  }

  /** Begins another epoch, in an order of its own. */
  nextEpoch(): void {
    this.#epoch += 1;
    this.#order = this.#shuffled();
  }

  /** Steps `from` up to `to` of an epoch of `steps`. */
  run(from: number, to: number, steps: number): Cost {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    for (let step = from; step < to; step++) tidy(() => this.#step(step, steps));
    const { user, system } = process.cpuUsage(cpu);
    return { cpuSeconds: (user + system) * 1e-6, wallSeconds: (performance.now() - wall) * 1e-3 };
  }

  #step(step: number, steps: number): void {
    const images = new Tensor([batchSize, ...this.#published.input], { backend: this.#backend });
    const indices = Uint32Array.from(
      { length: batchSize },
      (_, i) => this.#order[(step * batchSize + i) % this.#order.length]!,
    );
    this.#split.read(indices, images.data);
    const batch = {
      images,
      labels: Int32Array.from(indices, (index) => this.#split.labels[index]!),
      lr,
      batch: step,
      batches: steps,
      sample: step * batchSize,
      samples: steps * batchSize,
      step,
    };
    trainingStep(this.#model, batch, {
      annealing: "linear",
      compensation: "windowed",
      sMax,
      c,
      seed,
      step: this.#epoch * steps + step,
    });
  }

  /** Embeddings of each layer, as they stand. */
  embeddings(): readonly (readonly number[])[] {
    return [...this.#model.embeddings.values()].map(({ data }) => [...data]);
  }

  /** Operations that the next step needs at this slope: those of the units that are awake. */
  awakeFlops(s: number): number {
    const counts = new Map(
      [...this.#model.embeddings].map(([space, { data }]) => [
        space,
        data.filter((e) => s * e >= asleep).length,
      ]),
    );
    const { multiplyAdds } = networkWork(this.#model.network, (space) => counts.get(space));
    const [space, first] = [...this.#model.embeddings][0]!;
    const firstLayer = (this.#published.firstLayer * counts.get(space)!) / first.data.length;
    return 2 * batchSize * (3 * multiplyAdds - firstLayer);
  }

  /** A copy of all values. */
  state(): TrainingState {
    this.#model.sleep?.wake();
    return new Map([...this.#tensors()].map(([name, { data }]) => [name, data.slice()]));
  }

  dispose(): void {
    this.#model.sleep?.dispose();
    for (const [, tensor] of this.#tensors()) tensor.dispose();
  }

  #shuffled(): Uint32Array {
    return new Stream(seed, "benchmark/shuffle").permutation(this.#split.size, this.#epoch);
  }

  #tensors(): readonly (readonly [string, Tensor])[] {
    const { parameters, embeddings } = this.#model;
    return [
      ...parameters,
      ...[...embeddings].map(([space, e]): [string, Tensor] => [`embedding/${space}`, e]),
    ];
  }
}

/** Whether two states have the same bits. */
export function equalBits(a: TrainingState, b: TrainingState): boolean {
  const bytes = (values: Float32Array): Buffer =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return (
    a.size === b.size &&
    [...a].every(([name, values]) => {
      const other = b.get(name);
      return other !== undefined && bytes(values).equals(bytes(other));
    })
  );
}
