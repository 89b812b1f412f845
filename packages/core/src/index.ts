export type { Backend, Kernels, Precision } from "./backend/backend.ts";
export { cpuStatus, type CpuStatus } from "./backend/cpu.ts";
export { referenceBackend } from "./backend/reference.ts";
export {
  availableBackends,
  selectBackend,
  setThreads,
  type BackendOptions,
  type DeviceName,
} from "./backend/registry.ts";
export { Bits } from "./bits.ts";
export {
  CheckpointError,
  ConfigError,
  MillinerError,
  NativeError,
  NumericError,
  ShapeError,
} from "./errors.ts";
export { networkFromJson, networkToJson } from "./formats/network-json.ts";
export {
  readSafetensors,
  safetensorsPieces,
  writeSafetensors,
  type SafetensorsArrays,
  type SafetensorsData,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsTensor,
} from "./formats/safetensors.ts";
export { nearest, suggestion } from "./nearest.ts";
export { checkNumber, rangeInWords, smallestNormal, type NumberRange } from "./number-range.ts";
export { checkKeys, type OptionKeys } from "./option-keys.ts";
export { largestPieceBytes, pieces } from "./pieces.ts";
export { printable } from "./printable.ts";
export { shortened } from "./shortened.ts";
export { emptyCache, keep, memoryUse, tidy, type Disposable, type MemoryUse } from "./memory.ts";
export {
  channelSpaces,
  edgeWidth,
  type ChannelSpace,
  type ChannelSpaces,
  type EdgePiece,
  type EdgeUnits,
} from "./network/channel-spaces.ts";
export { compact, type CompactNetwork } from "./network/compact.ts";
export { forward, type ForwardOptions, type TrainingDraws } from "./network/forward.ts";
export type { Conv2dLayer, Layer, LinearLayer, MaxPool2dLayer } from "./network/layer.ts";
export { networkWork, type NetworkWork } from "./network/work.ts";
export { columnPattern, edgeBits, LockBits, Locks, parameterEdges } from "./network/locks.ts";
export {
  concat,
  conv2d,
  dropout,
  extend,
  flatten,
  inputName,
  linear,
  maxPool2d,
  network,
  outputShape,
  relu,
  residual,
  sequential,
  type Block,
  type LayerNode,
  type LayerOptions,
  type Network,
  type Size2d,
} from "./network/network.ts";
export {
  initialise,
  initialValues,
  parameterSpecs,
  type Initialiser,
  type Parameters,
  type ParameterSpec,
} from "./network/parameters.ts";
export { Plan, widened, widenedCount } from "./network/plan.ts";
export { UnitMasks, type TaskMasks } from "./network/unit-masks.ts";
export { Adam, type AdamOptions } from "./optimizers/adam.ts";
export { AdamW, type AdamWOptions } from "./optimizers/adamw.ts";
export { checkFinite } from "./optimizers/check-finite.ts";
export { clipGlobalNorm, gradientNorm, gradientNormBound } from "./optimizers/gradient-norm.ts";
export type { Optimizer, OptimizerState, OptimizerStateArray } from "./optimizers/optimizer.ts";
export { Sgd, type SgdOptions } from "./optimizers/sgd.ts";
export { Stream } from "./philox.ts";
export { Gradients, Tape, type Backward, type GradientSink, type PendingProduct } from "./tape.ts";
export {
  elements,
  onBackend,
  sameShape,
  Tensor,
  tensor,
  zeros,
  type Shape,
  type TensorOptions,
} from "./tensor.ts";
export {
  imageReader,
  pixelLookup,
  type NormaliseStep,
  type PermuteStep,
  type PixelLookup,
  type Transform,
  type TransformStep,
} from "./transform.ts";
