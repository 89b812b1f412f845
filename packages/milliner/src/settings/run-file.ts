import { join, resolve } from "node:path";
import { CheckpointError, ConfigError } from "@milliner/core";
import { checkBegunWith, StoredJson } from "@milliner/continual";
import { errorCode } from "@milliner/data";
import { Document, isScalar, stringify, visit } from "yaml";
import type { DeviceUsed } from "../device.ts";
import {
  parseSettingsFile,
  readExperimentFile,
  readSettingsFile,
  type Experiment,
} from "./experiment-file.ts";
import { notARun } from "../run-place.ts";
import { settingKeys, type Settings } from "./settings.ts";

/** Where a run's images come from. Those in memory cannot be read again by another process. */
export type DataSource = "published" | "folder" | "memory";

/** What `run.yaml` notes beside the settings: with what they were run. */
export interface RunNotes extends DeviceUsed {
  readonly learner: string;
  /** Kind and name of the data set; its folder is the setting `data`. */
  readonly source: DataSource;
  readonly dataset: string;
  /** Of all images and labels, see `hashImages`. */
  readonly imagesSha256: string;
  /** Height, width and channels of an image, and what its pixels (0..1) had subtracted and were divided by. */
  readonly inputShape: readonly [number, number, number];
  readonly normalisation: { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly tasks: readonly { readonly name: string; readonly classes: readonly string[] }[];
  readonly versions: Readonly<Record<string, string>>;
  /** What was said before the run began, such as that the slow reference stands in. */
  readonly warnings: readonly string[];
}

/** A run folder's `run.yaml`: enough to run it again. */
export interface RunFile extends Experiment {
  readonly notes: RunNotes;
}

const format = "milliner-run";
const version = 1;

export function runFilePath(run: string): string {
  return join(run, "run.yaml");
}

/** Settings as YAML, one key a line, in the order of `settingKeys`. */
export function settingsYaml(settings: Settings): string {
  return stringify(Object.fromEntries(settingKeys.map((key) => [key, settings[key]])), {
    flowCollectionPadding: false,
  });
}

/** The text of `run.yaml`. */
export function runFileText({ name, settings, notes }: RunFile): string {
  return [
    "# What was run. `milliner train run.yaml` runs it again.\n",
    stringify({ name }),
    settingsYaml(settings),
    notesYaml(notes),
  ].join("");
}

// Lists on one line each: a task of 100 classes is not 100 lines.
function notesYaml(notes: RunNotes): string {
  const document = new Document({ run: { format, version, ...notes } });
  visit(document, {
    Seq(_, list) {
      list.flow = list.items.every((item) => isScalar(item));
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/**
 * Reads a run's `run.yaml`.
 * @throws CheckpointError (`NOT_A_RUN`, `DAMAGED`, `BAD_VALUE`) when it is not that; ConfigError as `readExperimentFile`
 */
export async function readRunFile(folder: string): Promise<RunFile> {
  const run = resolve(folder);
  const path = runFilePath(run);
  const whole = parseRunFile(await readRunText(run, path), path);
  const file = new StoredJson(whole, path);
  if (!file.keys.includes("run")) {
    throw new CheckpointError("NOT_A_RUN", `${path} does not say how it was run; give the folder of a run`);
  }
  const notes = file.object("run");
  if (notes.string("format") !== format || notes.whole("version") !== version) {
    throw new CheckpointError(
      "BAD_VALUE",
      `${path} is not of version ${version} of ${format}; was it written by another milliner?`,
    );
  }
  const experiment = await readExperimentFile(path);
  const versions = notes.object("versions");
  const normalisation = notes.object("normalisation");
  const numbers = (from: StoredJson, key: string): readonly number[] =>
    from.list(key, (entry) => entry.number("value"));
  const [height = 0, width = 0, channels = 0] = notes.list("inputShape", (entry) => entry.whole("value"));
  return {
    ...experiment,
    notes: {
      learner: notes.string("learner"),
      source: oneOf(notes, "source", ["published", "folder", "memory"], path),
      dataset: notes.string("dataset"),
      imagesSha256: notes.string("imagesSha256"),
      inputShape: [height, width, channels],
      normalisation: { mean: numbers(normalisation, "mean"), std: numbers(normalisation, "std") },
      tasks: notes.list("tasks", (entry) => {
        const task = entry.object("value");
        return { name: task.string("name"), classes: task.list("classes", (one) => one.string("value")) };
      }),
      device: oneOf(notes, "device", ["cpu", "reference"], path),
      isa: notes.nullable("isa", (key) => notes.string(key)),
      threads: notes.whole("threads"),
      // Runs from before there was bf16 do not say.
      precision: notes.keys.includes("precision")
        ? oneOf(notes, "precision", ["float32", "bf16"], path)
        : "float32",
      versions: Object.fromEntries(versions.keys.map((key) => [key, versions.string(key)])),
      warnings: notes.keys.includes("warnings")
        ? notes.list("warnings", (entry) => entry.string("value"))
        : [],
    },
  };
}

/** What a run's checkpoints note of it: all that decides its bits. Where its images lie may change, what is in them is hashed. */
export function begunWith(
  settings: Settings,
  { inputShape, normalisation }: Pick<RunNotes, "inputShape" | "normalisation">,
): Readonly<Record<string, unknown>> {
  const { data: _, ...decisive } = settings;
  return { ...decisive, inputShape, normalisation };
}

/**
 * Holds `run.yaml`, which anybody may have edited since, to what the run's checkpoints were written with.
 * @throws CheckpointError (`OTHER_RUN`) that names the key
 */
export async function checkRunFile(run: string, { settings, notes }: RunFile): Promise<void> {
  await checkBegunWith(run, begunWith(settings, notes), runFilePath(run));
}

/** A file that milliner wrote, and nobody has to write by hand. */
function parseRunFile(text: string, path: string): unknown {
  try {
    return parseSettingsFile(text, path).whole;
  } catch (cause) {
    if (!(cause instanceof ConfigError && cause.code === "BAD_YAML")) throw cause;
    throw new CheckpointError(
      "DAMAGED",
      `${path} is damaged, not what milliner wrote; put a copy of it back, or train again into another folder`,
      { cause },
    );
  }
}

async function readRunText(run: string, path: string): Promise<string> {
  try {
    return await readSettingsFile(path);
  } catch (cause) {
    const isMissing = errorCode(cause) === "FILE_MISSING";
    throw isMissing ? await notARun(run, "it has no run.yaml", cause) : cause;
  }
}

function oneOf<T extends string>(notes: StoredJson, key: string, values: readonly T[], path: string): T {
  const value = notes.string(key);
  const known = values.find((one) => one === value);
  if (known !== undefined) return known;
  throw new CheckpointError("BAD_VALUE", `${path}: ${key} is one of ${values.join(", ")}, not "${value}"`);
}
