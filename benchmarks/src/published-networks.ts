import {
  conv2d,
  dropout,
  flatten,
  linear,
  maxPool2d,
  network,
  relu,
  type Block,
  type Network,
} from "@milliner/core";

/** A network of the paper, as milliner has it. */
export interface PublishedNetwork {
  readonly body: Network;
  /** Shape of one input. */
  readonly input: readonly number[];
  /**
   * Floating-point operations of one training step of `batchSize` inputs without masks, two for a multiply-add: forward,
   * the gradients of all weights, and the gradients of the hidden layers' inputs. Counted alike for steps that skip some.
   */
  readonly flops: number;
  /** Multiply-adds of one image in the first layer, whose input gradient nobody needs. */
  readonly firstLayer: number;
}

/** The networks of the paper. */
export type NetworkName = "mlp" | "alexnet";

/** Images of a batch. */
export const batchSize = 64;

/** Classes of a task. */
export const classes = 10;

/** Inputs of the MLP. */
export const mlpInputs = 784;

/** Units of each of its two layers. */
export const mlpUnits = 2000;

// Dropout 0.2 on the input, 0.5 on the hidden layers.
const mlpLayers: readonly Block[] = [
  dropout(0.2),
  linear(mlpUnits),
  relu(),
  dropout(0.5),
  linear(mlpUnits),
  relu(),
  dropout(0.5),
];

/** The MLP behind images. */
export const imageMlp: Network = network([28, 28, 1], flatten(), ...mlpLayers);

const mlp: PublishedNetwork = {
  body: network([mlpInputs], ...mlpLayers),
  input: [mlpInputs],
  firstLayer: mlpInputs * mlpUnits,
  flops: stepFlops([mlpInputs * mlpUnits, mlpUnits * mlpUnits, mlpUnits * classes]),
};

// Dropout comes before the pool.
const convolution = (channels: number, kernel: number, p: number): readonly Block[] => [
  conv2d(channels, kernel),
  relu(),
  dropout(p),
  maxPool2d(2),
];

const alexnet: PublishedNetwork = {
  body: network(
    [32, 32, 3],
    ...convolution(64, 4, 0.2),
    ...convolution(128, 3, 0.2),
    ...convolution(256, 2, 0.5),
    flatten(),
    linear(2048),
    relu(),
    dropout(0.5),
    linear(2048),
    relu(),
    dropout(0.5),
  ),
  input: [32, 32, 3],
  firstLayer: 29 * 29 * 4 * 4 * 3 * 64,
  // Output pixels times the weights that each reads, then the dense layers.
  flops: stepFlops([
    29 * 29 * 4 * 4 * 3 * 64,
    12 * 12 * 3 * 3 * 64 * 128,
    5 * 5 * 2 * 2 * 128 * 256,
    1024 * 2048,
    2048 * 2048,
    2048 * classes,
  ]),
};

/** The networks by name. */
export const publishedNetworks: Readonly<Record<NetworkName, PublishedNetwork>> = { mlp, alexnet };

/** Multiply-adds of one image's forward, layer by layer, to operations of a step. */
function stepFlops([first = 0, ...others]: readonly number[]): number {
  return 2 * batchSize * (2 * first + 3 * others.reduce((sum, layer) => sum + layer, 0));
}

/**
 * The same for the MLP at a later task: a half of each layer's units is active, and half of those are protected by the rule
 * `min`. Forward and input gradient see the active units; the weight gradient leaves out what is locked: half of the rows
 * behind the images, a quarter of the second layer.
 */
export const laterTaskFlops: number =
  2 *
  batchSize *
  (1.5 * mlpInputs * (mlpUnits / 2) + 2.75 * (mlpUnits / 2) ** 2 + 3 * (mlpUnits / 2) * classes);
