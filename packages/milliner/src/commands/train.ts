import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { ConfigError } from "@milliner/core";
import { brokenPromises } from "@milliner/continual";
import { Option, type Command } from "commander";
import { Failed, Interrupted } from "../exit-status.ts";
import { printJson, type Output } from "../output.ts";
import { presetNamed } from "../presets/index.ts";
import type { Progress } from "../progress/progress.ts";
import { startProgress } from "../progress/start.ts";
import { seedsJson, trainedJson } from "../result-json.ts";
import { resultTable, seedsTable } from "../result-table.ts";
import { runsFolder } from "../run-place.ts";
import { assign, parseAssignment } from "../settings/assignment.ts";
import { readExperimentFile, type Experiment } from "../settings/experiment-file.ts";
import { runFilePath } from "../settings/run-file.ts";
import type { Settings } from "../settings/settings.ts";
import { train, type Trained } from "../train.ts";
import { untilInterrupted } from "./interruption.ts";
import { collect, deviceOption, seedRange, threadsOption, wholeFrom, type ComputeFlags } from "./options.ts";

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

export function addTrain(program: Command, output: Output): void {
  program
    .command("train")
    .description("train one network on a sequence of tasks, and the controls that it is compared with")
    .argument("<experiment>", "a preset (see `milliner presets`) or a YAML file")
    .option("--data <folder>", "IDX files to read in place of the published data set")
    .option("--out <folder>", `the run's folder; default: a free one in ${runsFolder}/`)
    .option("--seed <n>", "what every random number derives from", wholeFrom(0))
    .addOption(new Option("--seeds <A..B>", "one run per seed").argParser(seedRange).conflicts("seed"))
    .option("--set <key=value>", "change one key; may be given several times", collect)
    .addOption(threadsOption())
    .addOption(deviceOption())
    .option("--resume", "go on with a run that was interrupted")
    .option("--offline", "never use the network")
    .option("--no-verify", "leave out the check in a fresh process at the end")
    .option("--json", "print one JSON object")
    .option("--quiet", "no progress")
    .action(async (experiment: string, flags: TrainFlags) => trainCommand(experiment, flags, output));
}

async function trainCommand(named: string, flags: TrainFlags, output: Output): Promise<void> {
  const experiment = await readExperiment(named);
  const changes = changesOf(experiment, flags);
  const progress = startProgress(output, flags.quiet ?? false);
  const runs: Trained[] = [];
  await untilInterrupted(async (signal) => {
    for (const seed of flags.seeds ?? [flags.seed]) {
      runs.push(await trainOne(named, experiment, changes, seed, flags, progress, signal, output));
    }
  });
  if (flags.json === true)
    printJson(output, flags.seeds === undefined ? trainedJson(runs[0]!) : seedsJson(runs));
  else output.result(flags.seeds === undefined ? resultTable(runs[0]!) : seedsTable(runs));
  const broken = runs.flatMap(({ folder, result }) =>
    brokenPromises(result).map((what) => `${folder}: ${what}`),
  );
  if (broken.length > 0) throw new Failed(broken.join("; "));
}

async function readExperiment(named: string): Promise<Experiment> {
  const isFile = /\.ya?ml$/i.test(named) || /[/\\]/.test(named);
  return isFile ? await readExperimentFile(named) : { name: named, settings: presetNamed(named) };
}

/** The settings that the command line changes. Checked now, so that a mistake shows before anything is read or written. */
function changesOf({ name, settings }: Experiment, flags: TrainFlags): Partial<Settings> {
  const given = (flags.set ?? []).map(parseAssignment);
  const data =
    flags.data === undefined ? [] : [{ key: "data", value: resolve(flags.data), origin: "--data" }];
  const changed = assign(settings, [...given, ...data], name);
  if (flags.seeds !== undefined && given.some(({ key }) => key === "seed")) {
    throw new ConfigError(
      "CONFLICTING_OPTIONS",
      "--seeds and --set seed=... contradict each other; give one of them",
    );
  }
  const keys = [...given, ...data].map(({ key }) => (key === "smax" ? "sMax" : key) as keyof Settings);
  return Object.fromEntries(keys.map((key) => [key, changed[key]]));
}

async function trainOne(
  named: string,
  experiment: Experiment,
  changes: Partial<Settings>,
  seed: number | undefined,
  flags: TrainFlags,
  progress: Progress,
  signal: AbortSignal,
  output: Output,
): Promise<Trained> {
  const { json: _json, quiet: _quiet, set: _set, seeds, data: _data, out, seed: _seed, ...rest } = flags;
  const place = seeds === undefined ? out : join(out ?? join(runsFolder, experiment.name), `seed-${seed}`);
  let folder: string | null = null;
  try {
    return await train({
      ...rest,
      // Of several seeds, those that had not begun begin now.
      resume: flags.resume === true && (seeds === undefined || existsSync(runFilePath(place!))),
      experiment,
      onBrokenPromise: "warn", // the command prints the result first, and fails then
      settings: { ...changes, ...(seed === undefined ? {} : { seed }) },
      ...(place === undefined ? {} : { out: place }),
      signal,
      onStart: (start) => {
        folder = start.folder;
        progress.start(start);
      },
      onEvent: (event) => progress.event(event),
      onProgress: (download) => progress.download(download),
      onWarning: (message) => progress.warning(message),
    });
  } catch (error) {
    progress.end();
    if (signal.reason instanceof Interrupted && folder !== null) {
      output.note(`interrupted; to go on: ${resumeCommand(named, folder, seeds, out)}\n`);
    }
    throw error;
  } finally {
    progress.end();
  }
}

function resumeCommand(
  named: string,
  folder: string,
  seeds: readonly number[] | undefined,
  out?: string,
): string {
  const words = ["milliner", "train", named];
  if (seeds === undefined) words.push("--out", relative("", folder) || ".");
  else {
    words.push("--seeds", `${seeds[0]}..${seeds.at(-1)}`);
    if (out !== undefined) words.push("--out", out);
  }
  return [...words, "--resume"]
    .map((word) => (/^[\w./\\:@%+=,-]+$/.test(word) ? word : `'${word}'`))
    .join(" ");
}
