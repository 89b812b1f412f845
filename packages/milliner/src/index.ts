export { presetNamed, presets } from "./presets/index.ts";
export { loadData, type DataOptions, type FoundData } from "./data-source.ts";
export type { Device, DeviceUsed } from "./device.ts";
export { exportRun, type ExportedRun, type ExportedTask, type ExportRunOptions } from "./export-run.ts";
export { openRun, type LearnedRun } from "./learned-run.ts";
export { makeControl, makeHat, makeScenario } from "./model.ts";
export { seedsJson, trainedJson } from "./result-json.ts";
export { resultTable, seedsTable } from "./result-table.ts";
export { readExperimentFile, type Experiment } from "./settings/experiment-file.ts";
export { readRunFile, type DataSource, type RunFile, type RunNotes } from "./settings/run-file.ts";
export {
  settingKeys,
  type ControlName,
  type DatasetName,
  type ScenarioKind,
  type Settings,
} from "./settings/settings.ts";
export { train, type Trained, type TrainOptions, type TrainStart } from "./train.ts";
