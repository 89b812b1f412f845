import { existsSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { CheckpointError, checkKeys, ConfigError, type OptionKeys, type DeviceName } from "@milliner/core";
import {
  CheckpointFolder,
  readResult,
  run,
  withPromisesKept,
  writeFileAtomically,
  type RunEvent,
  type RunResult,
  type Scenario,
  type Verification,
} from "@milliner/continual";
import { measureNormalisation, type Dataset, type Normalisation } from "@milliner/data";
import type { Hat } from "@milliner/hat";
import { checkImages, hashImages, loadData, loadDataAgain, type DataOptions } from "./data-source.ts";
import { deviceUsed, openDevice, openDeviceOf, type Device, type DeviceUsed } from "./device.ts";
import { makeControl, makeHat, makeScenario } from "./model.ts";
import { processWarning } from "./output.ts";
import { presetNamed } from "./presets/index.ts";
import { defaultRunFolder, runsFolder } from "./run-place.ts";
import { assign } from "./settings/assignment.ts";
import type { Experiment } from "./settings/experiment-file.ts";
import {
  begunWith,
  checkRunFile,
  readRunFile,
  runFilePath,
  runFileText,
  type RunFile,
} from "./settings/run-file.ts";
import type { Settings } from "./settings/settings.ts";
import { verifyInFreshProcess } from "./fresh-process.ts";
import { versions } from "./versions.ts";

/** What is trained, where, and who listens. */
export interface TrainOptions extends Omit<DataOptions, "signal"> {
  /** Name of a preset, or an experiment with all its settings. Default `split-mnist`. */
  readonly experiment?: string | Experiment;
  /** What differs from it. */
  readonly settings?: Partial<Settings>;
  /** Images in memory, in place of the published data set. A folder in `settings.data` has to hold the same ones. */
  readonly dataset?: Dataset;
  /** The run's folder. Default: a free one in `runs/`. */
  readonly out?: string;
  /** Go on with the run that the folder holds, or with the newest in `runs/`; one that is done is given back, none is begun. */
  readonly resume?: boolean;
  readonly device?: DeviceName;
  /** Default: all processors that this process may use. */
  readonly threads?: number;
  /** Whether the old logits are checked once more in a fresh process at the end; data in memory cannot be. Default true. */
  readonly verify?: boolean;
  /** What a broken promise does at the end, see `run`. Default `throw`. */
  readonly onBrokenPromise?: "throw" | "warn";
  /** Abort it to stop; the run can be resumed then. */
  readonly signal?: AbortSignal;
  /** Is told where the run goes, before it begins and once the folder is its own. */
  readonly onStart?: (start: TrainStart) => void;
  readonly onEvent?: (event: RunEvent) => void;
  readonly onWarning?: (message: string) => void;
}

const trainKeys: OptionKeys<TrainOptions> = {
  experiment: true,
  settings: true,
  dataset: true,
  out: true,
  resume: "switch",
  device: true,
  threads: true,
  verify: "switch",
  onBrokenPromise: true,
  signal: true,
  onStart: true,
  onEvent: true,
  onWarning: true,
  offline: "switch",
  onProgress: true,
};

/** A run that is about to begin. */
export interface TrainStart {
  readonly name: string;
  readonly folder: string;
  readonly settings: Settings;
  readonly device: Device;
  readonly learners: readonly string[];
  readonly tasks: number;
}

/** A run that has ended. */
export interface Trained {
  readonly name: string;
  /** The run's folder. */
  readonly folder: string;
  readonly settings: Settings;
  readonly device: DeviceUsed;
  readonly result: RunResult;
  /** What was said before the run began: that the slow reference stands in, or what the data set warns of. */
  readonly warnings: readonly string[];
  /** Whether it had ended before, and its result was only read. */
  readonly wasDone: boolean;
}

/**
 * Trains HAT, then its controls, on the tasks of an experiment, into a run folder that can be resumed, exported and reported.
 *
 * @throws ConfigError, DataError, NativeError or CheckpointError before anything has been trained; NumericError when a loss
 *   is not finite; the signal's reason when it was aborted; BrokenPromiseError at the end, see `run`
 */
export async function train(options: TrainOptions = {}): Promise<Trained> {
  checkKeys("train", options, trainKeys);
  const warnings: string[] = [];
  const warn = (message: string): void => {
    warnings.push(message);
    (options.onWarning ?? processWarning)(message);
  };
  const asked = experimentOf(options);
  const folder = await placeOf(asked, options);
  const before = options.resume === true ? await begunIn(folder) : null;
  const { name, settings: wanted } = before === null ? asked : continued(before, asked, options, folder);
  if (before !== null && options.device !== undefined && options.device !== before.notes.device) {
    throw new ConfigError(
      "OTHER_DEVICE",
      `${folder} was begun on ${before.notes.device}, whose bits ${options.device} does not promise; resume it there`,
    );
  }
  const done = before === null ? null : await doneIn(folder);
  if (before !== null && done !== null) {
    // Where they were, the images may be gone by now; others in their place would be another run.
    if (options.dataset !== undefined || wanted.data !== before.settings.data)
      await imagesOf(wanted, before, options);
    const result = withPromisesKept(done, options.onBrokenPromise ?? "throw");
    const { notes } = before;
    return {
      name,
      folder,
      settings: wanted,
      device: notes,
      result,
      warnings: notes.warnings,
      wasDone: true,
    };
  }
  const { precision } = wanted;
  const device =
    before === null
      ? openDevice({ device: options.device, threads: options.threads, precision }, warn)
      : openDeviceOf(folder, before.notes, options, warn);

  if (before === null && wanted.data !== null && liesIn(folder, wanted.data)) {
    warn(
      `the run's folder ${folder} lies in that of the images, ${wanted.data}; name another one with --out, so that they stay as they are`,
    );
  }
  const { dataset, settings } = await imagesOf(wanted, before, options);
  dataset.warnings.forEach(warn);
  const normalisation = before?.notes.normalisation ?? measureNormalisation(dataset.train);
  const scenario = makeScenario(settings, dataset, normalisation);
  const makeLearner = (): Hat => makeHat(settings, scenario.inputShape, device.backend);
  const learner = makeLearner();
  const controls = settings.controls.map((control) =>
    makeControl(control, settings, scenario, device.backend),
  );
  const notes =
    before?.notes ?? notesOf(settings, dataset, scenario, normalisation, device, options, warnings);
  const canVerify = options.verify !== false && (notes.source !== "memory" || settings.data !== null);
  try {
    const result = await run(scenario, learner, {
      seed: settings.seed,
      backend: device.backend,
      controls,
      folder,
      resume: options.resume ?? false,
      settings: begunWith(settings, notes),
      // What lies there of a run that came to nothing is written over.
      onOpen: async () => {
        if (before === null) await begin(folder, { name, settings, notes }, options);
        options.onStart?.({
          name,
          folder,
          settings,
          device,
          learners: [learner, ...controls].map((each) => each.name),
          tasks: scenario.tasks.length,
        });
      },
      makeLearner,
      onBrokenPromise: options.onBrokenPromise ?? "throw",
      ...(canVerify ? { verifier: freshVerifier(settings, device, options.signal) } : {}),
      ...(options.onEvent === undefined ? {} : { events: options.onEvent }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return { name, folder, settings, device: deviceUsed(device), result, warnings, wasDone: false };
  } finally {
    for (const each of [learner, ...controls]) each.dispose();
  }
}

async function placeOf({ name, settings }: Experiment, { out, resume }: TrainOptions): Promise<string> {
  if (out === "") {
    throw new ConfigError("BAD_VALUE", "out is empty; name the run's folder, or leave it out for a free one");
  }
  return out === undefined
    ? await defaultRunFolder(name, settings.seed, resume ?? false, resolve(runsFolder))
    : resolve(out);
}

function liesIn(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way.split(sep)[0] !== ".." && !isAbsolute(way);
}

/** The run that a folder holds; null where none has been begun, or one was killed before it had written what it is. */
async function begunIn(folder: string): Promise<RunFile | null> {
  if (existsSync(runFilePath(folder))) {
    const file = await readRunFile(folder);
    await checkRunFile(folder, file);
    return file;
  }
  if ((await new CheckpointFolder(folder).places()).length === 0 && (await readResult(folder)) === null)
    return null;
  throw new CheckpointError(
    "NOT_A_RUN",
    `${folder} has checkpoints and no run.yaml that says of what; put it back, or choose another folder`,
  );
}

/** The result of a run that is done, its check too; null for another, or where it cannot be read: it is written anew then. */
async function doneIn(folder: string): Promise<RunResult | null> {
  try {
    const result = await readResult(folder);
    return result?.isCheckPending === true ? null : result;
  } catch (error) {
    if (error instanceof CheckpointError) return null;
    throw error;
  }
}

/** Writes `run.yaml`. Called by who owns the folder. */
async function begin(folder: string, file: RunFile, { resume }: TrainOptions): Promise<void> {
  const path = runFilePath(folder);
  if (resume === true && existsSync(path)) {
    throw new ConfigError("RUN_LOCKED", `${folder} was begun by another process this moment; try again`);
  }
  await writeFileAtomically(path, runFileText(file));
}

function experimentOf({ experiment = "split-mnist", settings = {}, dataset }: TrainOptions): Experiment {
  const base =
    typeof experiment === "string" ? { name: experiment, settings: presetNamed(experiment) } : experiment;
  const changes = Object.entries(settings).map(([key, value]) => ({ key, value, origin: "settings" }));
  const found = assign(base.settings, changes, base.name);
  const data = found.data === null ? null : resolve(found.data);
  // What `run.yaml` says has to be what was trained on.
  return {
    ...base,
    settings: { ...found, data, ...(dataset === undefined ? {} : { dataset: null }) },
  };
}

/** The settings of a run that is resumed are its own; only its images may lie elsewhere by now. */
function continued(before: RunFile, asked: Experiment, options: TrainOptions, folder: string): Experiment {
  const seed = options.settings?.seed;
  if (options.experiment !== undefined && before.name !== asked.name) {
    throw new ConfigError(
      "OTHER_RUN",
      `${folder} is a run of ${before.name}, not of ${asked.name}; resume that, or choose another folder`,
    );
  }
  if (seed !== undefined && before.settings.seed !== seed) {
    throw new ConfigError(
      "OTHER_RUN",
      `${folder} was begun with seed ${before.settings.seed}, not ${seed}; resume that, or choose another folder`,
    );
  }
  const stated = new Set([
    ...(asked.stated ?? []),
    ...(Object.keys(options.settings ?? {}) as (keyof Settings)[]),
  ]);
  const data = stated.has("data") ? asked.settings.data : undefined;
  if (before.settings.data !== null) stated.delete("dataset"); // it says what to fetch where there is no folder
  for (const key of stated) {
    if (key === "data" || JSON.stringify(asked.settings[key]) === JSON.stringify(before.settings[key]))
      continue;
    throw new ConfigError(
      "OTHER_RUN",
      `${folder} was begun with ${key} ${JSON.stringify(before.settings[key])}, and a run keeps its settings; leave ${key} out`,
    );
  }
  return { name: before.name, settings: data === undefined ? before.settings : { ...before.settings, data } };
}

/** The images, and the settings that say which they are: `run.yaml` does not call other images by a published name. */
async function imagesOf(
  settings: Settings,
  before: RunFile | null,
  options: TrainOptions,
): Promise<{ readonly dataset: Dataset; readonly settings: Settings }> {
  if (options.dataset !== undefined) {
    const { dataset } = options;
    return { dataset: before === null ? dataset : checkImages(dataset, before.notes), settings };
  }
  if (before !== null) return { dataset: await loadDataAgain(before, settings.data, options), settings };
  const { dataset, published } = await loadData(settings, options);
  return { dataset, settings: { ...settings, dataset: published } };
}

function notesOf(
  settings: Settings,
  dataset: Dataset,
  scenario: Scenario,
  normalisation: Normalisation,
  device: Device,
  options: TrainOptions,
  warnings: readonly string[],
): RunFile["notes"] {
  return {
    learner: "hat",
    source: options.dataset !== undefined ? "memory" : settings.data === null ? "published" : "folder",
    dataset: dataset.name,
    imagesSha256: hashImages(dataset),
    inputShape: scenario.inputShape,
    normalisation,
    tasks: scenario.tasks.map(({ name, classes }) => ({ name, classes })),
    ...deviceUsed(device),
    versions: versions(),
    warnings: [...warnings],
  };
}

function freshVerifier(
  { data }: Settings,
  device: Device,
  signal: AbortSignal | undefined,
): (folder: string) => Promise<Verification> {
  return (folder) => verifyInFreshProcess(folder, data, device, { signal });
}
