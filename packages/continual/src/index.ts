export { makeFolder, writeFileAtomically } from "./atomic-file.ts";
export { checkBegunWith } from "./begun-with.ts";
export { BrokenPromiseError, brokenPromises, promisesBits, withPromisesKept } from "./broken-promise.ts";
export { argmax, evaluate, type Evaluation } from "./evaluate.ts";
export { forEachBatch } from "./batches.ts";
export type { EventSink, LayerCapacity, RunEvent, RunEventBody, SpaceMask } from "./events.ts";
export {
  checkSchedule,
  fit,
  loadFit,
  publishedSchedule,
  saveFit,
  startFit,
  type Batch,
  type FitState,
  type Schedule,
  type Trainable,
  type TrainedParameters,
} from "./fit.ts";
export type {
  CheckpointReader,
  CheckpointWriter,
  Learner,
  RunContext,
  StoredArray,
  TaskRecord,
} from "./learner.ts";
export {
  averageAccuracy,
  backwardTransfer,
  forgetting,
  forgettingRatio,
  forwardTransfer,
  meanForgettingRatios,
  randomAccuracy,
  type AccuracyMatrix,
} from "./metrics.ts";
export { MultiHead, type MultiHeadOptions, type StoredHeads } from "./multi-head.ts";
export { MultiHeadTraining, type MultiHeadTrainingOptions } from "./multi-head-training.ts";
export { checkOutFolder, type OutKind } from "./out-folder.ts";
export { hashParameters } from "./parameters-hash.ts";
export { permutedScenario, permutedTransform, type PermutedScenarioOptions } from "./permuted-scenario.ts";
export type { LearnerResult, RunResult, TaskResult } from "./result.ts";
export { readResult } from "./stored-result.ts";
export { run, type RunOptions } from "./run.ts";
export { CheckpointFolder, eventsFile, resultFile, type CheckpointPlace } from "./run-folder.ts";
export {
  readCheckpoint,
  readerOf,
  takeSnapshot,
  type Snapshot,
  type StoredCheckpoint,
  type StoredTensor,
} from "./checkpoint.ts";
export { parseRecord, type LearnedTask, type RunRecord } from "./run-record.ts";
export type { RunIdentity, TaskIdentity } from "./run-identity.ts";
export type { EventPosition } from "./event-log.ts";
export { imageSplit, joinSplits, type ImageSplitOptions } from "./split.ts";
export { splitScenario, splitTransform, type SplitScenarioOptions } from "./split-scenario.ts";
export { storedFloats } from "./stored-floats.ts";
export { readStoredFile } from "./stored-file.ts";
export { StoredJson } from "./stored-json.ts";
export { supervised, type SupervisedOptions } from "./supervised.ts";
export { taskInWords, type Scenario, type Split, type Task } from "./task.ts";
export { publishedValidationShare, splitValidation } from "./validation.ts";
export { verifyRun, type Verification } from "./verify-run.ts";
