import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigError } from "@milliner/core";
import { brokenPromises } from "@milliner/continual";
import { Option, type Command } from "commander";
import { Failed, Interrupted, sentence } from "../exit-status.ts";
import { oneLine, type Output } from "../output.ts";
import { presetNamed, presets } from "../presets/index.ts";
import { startProgress } from "../progress/start.ts";
import { seedsJson, trainedJson } from "../result-json.ts";
import { resultTable, seedsTable } from "../result-table.ts";
import { runsFolder } from "../run-place.ts";
import { seedsFailure, trainSeeds, type FailedSeed } from "../seed-runs.ts";
import { assign, parseAssignment, settingKey } from "../settings/assignment.ts";
import { readExperimentFile, type Experiment } from "../settings/experiment-file.ts";
import { settingKeys, type Settings } from "../settings/settings.ts";
import { train, type Trained, type TrainOptions } from "../train.ts";
import { goOnLine } from "./go-on.ts";
import { untilInterrupted } from "./interruption.ts";
import {
  collect,
  deviceOption,
  givenPath,
  seedRange,
  threadsOption,
  wholeFrom,
  type ComputeFlags,
} from "./options.ts";

interface TrainFlags extends ComputeFlags {
  readonly data?: string;
  readonly out?: string;
  readonly seed?: number;
  readonly seeds?: readonly number[];
  readonly set?: readonly string[];
  readonly resume?: boolean;
  readonly offline?: boolean;
  readonly verify: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** @param args - all that stands behind the command's name, `--` too, which commander drops */
export function addTrain(program: Command, output: Output, args: readonly string[]): void {
  program
    .command("train")
    .description("train one network on a sequence of tasks, and the controls that it is compared with")
    .argument("<experiment>", "a preset (see `milliner presets`) or a YAML file", givenPath)
    .option("--data <folder>", "IDX files to read in place of the published data set", givenPath)
    .option("--out <folder>", `the run's folder; default: a free one in ${runsFolder}/`, givenPath)
    .option("--seed <n>", "what every random number derives from", wholeFrom(0))
    .addOption(new Option("--seeds <A..B>", "one run per seed").argParser(seedRange).conflicts("seed"))
    .option("--set <key=value>", "change one key; may be given several times", collect)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option(
      "--resume",
      "begin, go on after an interruption, or print what is done: whatever the folder holds",
    )
    .option("--offline", "never use the network")
    .option("--no-verify", "leave out the check in a fresh process at the end")
    .option("--json", "print one JSON object")
    .option("--quiet", "no progress")
    .configureOutput({ outputError: (text, write) => write(text + ofSetting(text)) })
    .action(async (experiment: string, flags: TrainFlags) => trainCommand(experiment, flags, args, output));
}

/** What commander's sentence on an unknown option lacks, where that is the name of a setting. */
function ofSetting(sentence: string): string {
  const key = /unknown option '--(\w+)/.exec(sentence)?.[1];
  const isSetting = settingKeys.some((known) => known === key);
  return isSetting ? `(${key} is a setting: --set ${key}=...)\n` : "";
}

async function trainCommand(
  named: string,
  flags: TrainFlags,
  args: readonly string[],
  output: Output,
): Promise<void> {
  const experiment = await readExperiment(named);
  const changes = changesOf(experiment, flags);
  const progress = startProgress(output, flags.quiet ?? false);
  const runs = { done: [] as Trained[], failed: [] as FailedSeed[] };
  let folder: string | null = null;
  const trainOne = async (seed: number | undefined, signal: AbortSignal): Promise<Trained> =>
    await train({
      ...trainOptionsOf(experiment, changes, seed, flags),
      signal,
      onStart: (start) => {
        folder = start.folder;
        progress.start(start);
      },
      onEvent: (event) => progress.event(event),
      onProgress: (download) => progress.download(download),
      onWarning: (message) => progress.warning(message),
    });
  const tell = (): void => {
    for (const run of runs.done)
      if (run.wasDone) output.note(oneLine(`${run.folder} was done already; this is its result`));
    const isSingle = flags.seeds === undefined;
    if (flags.json === true) output.json(isSingle ? trainedJson(runs.done[0]!) : seedsJson(runs));
    else output.result(isSingle ? resultTable(runs.done[0]!) : seedsTable(runs));
  };
  try {
    await untilInterrupted(async (signal) => {
      if (flags.seeds === undefined) runs.done.push(await trainOne(flags.seed, signal));
      else {
        await trainSeeds(
          flags.seeds,
          (seed) => trainOne(seed, signal),
          runs,
          ({ seed, error }) => progress.warning(`seed ${seed} failed: ${sentence(error)}`),
          signal,
        );
      }
    });
  } catch (error) {
    progress.end();
    if (runs.done.length > 0) tell();
    if (error instanceof Interrupted)
      output.note(oneLine(`interrupted; to go on: ${goOnLine(args, flags, folder)}`));
    throw error;
  }
  progress.end();
  tell();
  const failure = seedsFailure(runs);
  const broken = runs.done.flatMap(({ folder: run, result }) =>
    brokenPromises(result).map((what) => `${run}: ${what}`),
  );
  if (broken.length > 0) {
    const others = failure === null ? "" : `; ${failure.message}`;
    throw new Failed(
      "PROMISE_BROKEN",
      `${broken.join("; ")}: do not rely on what was learned; the warnings name the tasks${others}`,
    );
  }
  if (failure !== null) throw failure;
}

async function readExperiment(named: string): Promise<Experiment> {
  const isPreset = Object.hasOwn(presets, named);
  const isFile = /\.ya?ml$/i.test(named) || /[/\\]/.test(named) || (!isPreset && existsSync(named));
  return isFile ? await readExperimentFile(named) : { name: named, settings: presetNamed(named) };
}

/** The settings that the command line changes. Checked now, so that a mistake shows before anything is read or written. */
function changesOf({ name, settings }: Experiment, flags: TrainFlags): Partial<Settings> {
  const given = (flags.set ?? []).map(parseAssignment);
  const data =
    flags.data === undefined ? [] : [{ key: "data", value: resolve(flags.data), origin: "--data" }];
  const changed = assign(settings, [...given, ...data], name);
  for (const [option, key] of [
    ["seed", "seed"],
    ["seeds", "seed"],
    ["data", "data"],
  ] as const) {
    if (flags[option] !== undefined && given.some((one) => one.key === key)) {
      throw new ConfigError(
        "CONFLICTING_OPTIONS",
        `--${option} and --set ${key}=... contradict each other; give one of them`,
      );
    }
  }
  const keys = [...given, ...data].map((assignment) => settingKey(assignment, name));
  return Object.fromEntries(keys.map((key) => [key, changed[key]]));
}

function trainOptionsOf(
  experiment: Experiment,
  changes: Partial<Settings>,
  seed: number | undefined,
  { seeds, out, resume, device, threads, offline, verify }: TrainFlags,
): TrainOptions {
  const place = seeds === undefined ? out : join(out ?? join(runsFolder, experiment.name), `seed-${seed}`);
  return {
    experiment,
    settings: { ...changes, ...(seed === undefined ? {} : { seed }) },
    resume: resume ?? false,
    onBrokenPromise: "warn", // the command prints the result first, and fails then
    verify,
    ...(place === undefined ? {} : { out: place }),
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(offline === undefined ? {} : { offline }),
  };
}
