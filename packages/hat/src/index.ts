export { annealings, epochProgress, slope, sMaxRange, type Annealing } from "./annealing.ts";
export { capacity, reuse } from "./capacity.ts";
export { compensations, gateGradient, type Compensation } from "./compensation.ts";
export { gradientConditioning } from "./conditioning.ts";
export { cumulativeGate, usedUnits } from "./cumulative.ts";
export { initialEmbeddings, type Embeddings } from "./embeddings.ts";
export { gate } from "./gate.ts";
export { hardGates, softGates } from "./gates.ts";
export { fractionalUnits, harden, undecidedUnits } from "./hardening.ts";
export { Hat } from "./hat.ts";
export { lockedHash } from "./locked-hash.ts";
export {
  officialDefaults,
  officialStep,
  type OfficialBatch,
  type OfficialModel,
  type OfficialOptions,
  type OfficialStep,
} from "./official.ts";
export { hatSettings, type HatOptions, type HatSettings } from "./options.ts";
export { protect, protections, taskElements, type Protection } from "./protection.ts";
export { prune, type MaskedModel } from "./prune.ts";
export { compressibilityFor, pullDistance, type PullSchedule } from "./pull.ts";
export { regularisedLoss, sparsityRegulariser, type CumulativeGates, type Gates } from "./regulariser.ts";
export { openUnits, Sleep, type Part, type WholeModel } from "./sleep.ts";
export { trainingStep, type TrainingModel, type TrainingStepOptions } from "./training-step.ts";
