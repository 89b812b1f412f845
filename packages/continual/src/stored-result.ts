import { CheckpointError, type Precision } from "@milliner/core";
import type { LearnerResult, RunResult, TaskResult } from "./result.ts";
import { resultFile } from "./run-folder.ts";
import { readStoredFile } from "./stored-file.ts";
import { StoredJson } from "./stored-json.ts";

/**
 * Reads the result of a run that is done.
 *
 * @param run - the run's folder
 * @returns null where there is no `result.json`: the run is not done
 * @throws CheckpointError (`DAMAGED`, `BAD_VALUE`, `BAD_VERSION`, `READ_FAILED`, `TOO_LARGE`) when the file is not a result; resumed, the run
 *   writes it anew from its checkpoints
 */
export async function readResult(run: string): Promise<RunResult | null> {
  const path = resultFile(run);
  const bytes = await readStoredFile(path, largestBytes);
  if (bytes === null) return null;
  const file = new StoredJson(parse(new TextDecoder().decode(bytes), path), path);
  if (file.string("format") !== "milliner-result" || file.whole("version") !== 1) {
    throw new CheckpointError(
      "BAD_VERSION",
      `${path} is not of version 1 of milliner-result; was it written by another milliner?`,
    );
  }
  const controls = file.object("controls");
  return {
    format: "milliner-result",
    version: 1,
    scenario: file.string("scenario"),
    learner: file.string("learner"),
    seed: file.whole("seed"),
    precision: oneOf<Precision>(file, "precision", ["float32", "bf16"], path),
    ...figuresOf(file),
    bitExactCheckedIn: oneOf(file, "bitExactCheckedIn", ["memory", "checkpoint", "fresh-process"], path),
    isCheckPending: file.keys.includes("isCheckPending") && file.boolean("isCheckPending"), // not in older files
    controls: Object.fromEntries(controls.keys.map((name) => [name, figuresOf(controls.object(name))])),
  };
}

function figuresOf(file: StoredJson): LearnerResult {
  const number = (key: string): number | null => file.nullable(key, (one) => file.number(one));
  const row = (from: StoredJson, key: string): readonly (number | null)[] =>
    from.list(key, (entry) => entry.nullable("value", (one) => entry.number(one)));
  return {
    acc: file.share("acc"),
    bwt: number("bwt"),
    fwt: number("fwt"),
    forgetting: number("forgetting"),
    matrix: file.list("matrix", (entry) => row(entry, "value")),
    initial: row(file, "initial"),
    forgettingRatio: file.nullable("forgettingRatio", (key) => row(file, key)),
    bitExactOldLogits: file.boolean("bitExactOldLogits"),
    lockedHash: file.nullable("lockedHash", (key) => file.string(key)),
    lockedUnchanged: file.nullable("lockedUnchanged", (key) => file.boolean(key)),
    tasks: file.list("tasks", (entry) => taskOf(entry.object("value"))),
    seconds: file.number("seconds"),
    warnings: file.list("warnings", (entry) => entry.string("value")),
  };
}

function taskOf(file: StoredJson): TaskResult {
  const notes = file.object("notes");
  return {
    name: file.string("name"),
    epochs: file.whole("epochs"),
    seconds: file.number("seconds"),
    notes: Object.fromEntries(notes.keys.map((key) => [key, notes.number(key)])),
  };
}

// A thousand tasks have a matrix of a million figures.
const largestBytes = 64 * 1024 * 1024;

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError("DAMAGED", `${path} is not JSON; resume the run, which writes it anew`, {
      cause,
    });
  }
}

function oneOf<T extends string>(file: StoredJson, key: string, values: readonly T[], path: string): T {
  const value = file.string(key);
  const known = values.find((one) => one === value);
  if (known !== undefined) return known;
  throw new CheckpointError("BAD_VALUE", `${path}: ${key} is one of ${values.join(", ")}, not "${value}"`);
}
