import type { Kernels } from "./backend.ts";

/** Arguments that a kernel writes, counted from 0, each with the inputs that it may be itself: the same elements, all of them. */
export type Outputs = Readonly<Record<number, readonly number[]>>;

/**
 * What every kernel writes. An output shares no memory with another argument, unless it may be that argument: a result in a
 * part of an input is none, and indices are checked before the first of them is used.
 */
export const kernelOutputs: Readonly<Record<keyof Kernels, Outputs>> = {
  linearForward: { 4: [], 5: [] },
  linearInputGradient: { 2: [] },
  linearWeightGradient: { 2: [] },
  linearWeightUpdate: { 2: [] },
  linearWeightMomentum: { 2: [], 3: [] },
  linearWeightAdam: { 2: [], 3: [], 4: [] },
  activationBackward: { 3: [0], 4: [], 5: [] },
  gateApply: { 2: [] },
  conv2dForward: { 3: [], 7: [], 12: [] },
  conv2dInputGradient: { 2: [] },
  conv2dWeightGradient: { 2: [] },
  conv2dWeightUpdate: { 2: [] },
  maxPool2dForward: { 1: [], 2: [] },
  maxPool2dBackward: { 2: [] },
  maxPool2dActivationBackward: { 4: [], 5: [], 6: [] },
  batchNormStatistics: { 1: [], 2: [] },
  batchNormForward: { 5: [] },
  batchNormBackward: { 6: [0], 7: [], 8: [] },
  groupNormForward: { 3: [], 4: [], 5: [] },
  groupNormInputGradient: { 5: [0] },
  groupNormParameterGradient: { 4: [], 5: [] },
  globalAveragePoolForward: { 1: [] },
  globalAveragePoolBackward: { 1: [] },
  gateForward: { 1: [0] },
  gateBackward: { 2: [0, 1] },
  gatherMatrix: { 1: [] },
  scatterMatrix: { 2: [] },
  gatherBits: { 1: [] },
  crossEntropy: { 2: [], 3: [0] },
  sgd: { 0: [] },
  momentum: { 0: [], 2: [] },
  adam: { 0: [], 2: [], 3: [] },
  add: { 2: [0, 1] },
  multiply: { 2: [0, 1] },
  scale: { 2: [0] },
  clamp: { 3: [0] },
  exp: { 1: [0] },
  log: { 1: [0] },
  tanh: { 1: [0] },
  sigmoid: { 1: [0] },
  relu: { 1: [0] },
  reluBackward: { 2: [0, 1] },
  dropout: { 1: [0] },
  randomBits: { 0: [] },
  sum: {},
  sumSquares: {},
  columnSum: { 1: [] },
  allFinite: {},
};
