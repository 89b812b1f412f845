import { resolve } from "node:path";
import { checkKeys, ConfigError, type OptionKeys, type DeviceName } from "@milliner/core";
import { run, type RunEvent, type RunResult, type Scenario, type Verification } from "@milliner/continual";
import { measureNormalisation, type Dataset, type Normalisation } from "@milliner/data";
import type { Hat } from "@milliner/hat";
import { checkImages, hashImages, loadData, loadDataAgain, type DataOptions } from "./data-source.ts";
import { openDevice, openDeviceOf, type Device } from "./device.ts";
import { makeControl, makeHat, makeScenario } from "./model.ts";
import { presetNamed } from "./presets/index.ts";
import { defaultRunFolder } from "./run-place.ts";
import { assign } from "./settings/assignment.ts";
import type { Experiment } from "./settings/experiment-file.ts";
import { RunFileOnce } from "./settings/run-file-once.ts";
import { readRunFile, type RunFile } from "./settings/run-file.ts";
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
  /** Go on with the run that the folder holds, or with the newest in `runs/`. */
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
  /** Is told where the run goes, before it begins. */
  readonly onStart?: (start: TrainStart) => void;
  readonly onEvent?: (event: RunEvent) => void;
  readonly onWarning?: (message: string) => void;
}

const trainKeys: OptionKeys<TrainOptions> = {
  experiment: true,
  settings: true,
  dataset: true,
  out: true,
  resume: true,
  device: true,
  threads: true,
  verify: true,
  onBrokenPromise: true,
  signal: true,
  onStart: true,
  onEvent: true,
  onWarning: true,
  offline: true,
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
  readonly device: Device;
  readonly result: RunResult;
  /** What was said before the run began: that the slow reference stands in, or what the data set warns of. */
  readonly warnings: readonly string[];
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
    (options.onWarning ?? ((text: string) => process.emitWarning(text)))(message);
  };
  const asked = experimentOf(options);
  const folder = resolve(
    options.out ?? (await defaultRunFolder(asked.name, asked.settings.seed, options.resume ?? false)),
  );
  const before = options.resume === true ? await readRunFile(folder) : null;
  const { name, settings: wanted } = before === null ? asked : continued(before, asked, options, folder);
  const { precision } = wanted;
  const device =
    before === null
      ? openDevice({ device: options.device, threads: options.threads, precision }, warn)
      : openDeviceOf(folder, before.notes, options, warn);
  if (before !== null && before.notes.device !== device.backend.name) {
    throw new ConfigError(
      "OTHER_DEVICE",
      `${folder} was begun on ${before.notes.device}, whose bits ${device.backend.name} does not promise; resume it there`,
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
  const notes = before?.notes ?? notesOf(settings, dataset, scenario, normalisation, device, options);
  const file = new RunFileOnce({ name, settings, notes }, folder, before !== null);
  const canVerify = options.verify !== false && (notes.source !== "memory" || settings.data !== null);
  options.onStart?.({
    name,
    folder,
    settings,
    device,
    learners: [learner, ...controls].map((each) => each.name),
    tasks: scenario.tasks.length,
  });
  try {
    const result = await run(scenario, learner, {
      seed: settings.seed,
      backend: device.backend,
      controls,
      folder,
      resume: options.resume ?? false,
      makeLearner,
      onBrokenPromise: options.onBrokenPromise ?? "throw",
      ...(canVerify ? { verifier: freshVerifier(settings, device, options.signal) } : {}),
      events: (event) => {
        file.write();
        options.onEvent?.(event);
      },
      signal: options.signal === undefined ? file.signal : AbortSignal.any([options.signal, file.signal]),
    });
    file.write();
    file.signal.throwIfAborted();
    return { name, folder, settings, device, result, warnings };
  } finally {
    for (const each of [learner, ...controls]) each.dispose();
  }
}

function experimentOf({ experiment = "split-mnist", settings = {}, dataset }: TrainOptions): Experiment {
  const base =
    typeof experiment === "string" ? { name: experiment, settings: presetNamed(experiment) } : experiment;
  const changes = Object.entries(settings).map(([key, value]) => ({ key, value, origin: "settings" }));
  const found = assign(base.settings, changes, base.name);
  const data = found.data === null ? null : resolve(found.data);
  // What `run.yaml` says has to be what was trained on.
  return {
    name: base.name,
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
  const data = options.settings?.data === undefined ? undefined : asked.settings.data;
  for (const key of Object.keys(options.settings ?? {}) as (keyof Settings)[]) {
    if (key === "data" || JSON.stringify(options.settings![key]) === JSON.stringify(before.settings[key]))
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
  if (before !== null) return { dataset: await loadDataAgain(settings, before.notes, options), settings };
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
): RunFile["notes"] {
  return {
    learner: "hat",
    source: options.dataset !== undefined ? "memory" : settings.data === null ? "published" : "folder",
    dataset: dataset.name,
    imagesSha256: hashImages(dataset),
    inputShape: scenario.inputShape,
    normalisation,
    tasks: scenario.tasks.map(({ name, classes }) => ({ name, classes })),
    device: device.backend.name,
    isa: device.isa,
    threads: device.threads,
    precision: device.backend.precision,
    versions: versions(),
  };
}

function freshVerifier(
  { data }: Settings,
  device: Device,
  signal: AbortSignal | undefined,
): (folder: string) => Promise<Verification> {
  return (folder) => verifyInFreshProcess(folder, data, device, signal);
}
