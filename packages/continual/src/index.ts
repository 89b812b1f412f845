export { argmax, evaluate, type Evaluation } from "./evaluate.ts";
export type { EventSink, LayerCapacity, RunEvent, RunEventBody, SpaceMask } from "./events.ts";
export {
  fit,
  forEachBatch,
  loadFit,
  publishedSchedule,
  saveFit,
  startFit,
  type Batch,
  type FitState,
  type Schedule,
  type Trainable,
} from "./fit.ts";
export type {
  CheckpointReader,
  CheckpointWriter,
  Learner,
  RunContext,
  StoredArray,
  TaskRecord,
} from "./learner.ts";
export { MultiHead, type MultiHeadOptions } from "./multi-head.ts";
export type { Scenario, Split, Task } from "./task.ts";
