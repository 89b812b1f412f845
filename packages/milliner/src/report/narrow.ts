import { CheckpointError } from "@milliner/core";
import { StoredJson, type LayerCapacity, type SpaceMask } from "@milliner/continual";
import { errorMessage } from "@milliner/data";
import { short } from "./figure-text.ts";
import type { ReportEvent, ReportFigures, ReportModel, ReportResult } from "./report-input.ts";

/** A table of more tasks than this cannot be read any more, and hostile counts would fill the memory. */
export const mostTasks = 200;
const mostUnits = 1 << 20;
const longestName = 120;

/**
 * Narrows one event of `events.jsonl`.
 * @returns null for kinds that a report does not show
 * @throws CheckpointError (`BAD_VALUE`) that names `where` and the field
 */
export function parseEvent(value: unknown, where: string): ReportEvent | null {
  const event = new StoredJson(value, where);
  const learner = name(event, "learner");
  const type = event.string("type");
  switch (type) {
    case "run-started":
      return {
        type,
        learner,
        scenario: name(event, "scenario"),
        tasks: below(event, "tasks", mostTasks + 1),
        seed: event.whole("seed"),
      };
    case "task-started":
      return { type, learner, task: task(event, "task"), name: name(event, "name") };
    case "epoch-ended":
      return {
        type,
        learner,
        task: task(event, "task"),
        epoch: event.whole("epoch"),
        // JSON has no NaN: a loss that was not finite is null in it.
        trainLoss: finite(event, "trainLoss"),
        validationLoss: finite(event, "validationLoss"),
        validationAccuracy: nullableShare(event, "validationAccuracy"),
      };
    case "capacity":
      return { type, learner, task: task(event, "task"), layers: limited(event, "layers", layerCapacity) };
    case "masks":
      return { type, learner, task: task(event, "task"), spaces: limited(event, "spaces", spaceMask) };
    case "evaluated":
      return {
        type,
        learner,
        afterTask: task(event, "afterTask"),
        accuracies: limited(event, "accuracies", (entry) => share(entry, "value")),
        bitExactOldLogits: event.nullable("bitExactOldLogits", (key) => event.boolean(key)),
      };
    case "warning":
      return { type, learner, message: event.string("message") };
    default:
      return null;
  }
}

/**
 * Narrows `result.json`.
 * @throws CheckpointError (`BAD_VALUE`) that names `where` and the field
 */
export function parseResult(value: unknown, where: string): ReportResult {
  const result = new StoredJson(value, where);
  const format = result.string("format");
  const version = result.whole("version");
  if (format !== "milliner-result" || version !== 1) {
    const claims = `"${format.slice(0, 40)}" version ${version}`;
    throw new CheckpointError(
      "BAD_VERSION",
      `${where} is ${claims}, not "milliner-result" version 1; report it with the milliner that wrote it`,
    );
  }
  const checkedIn = result.string("bitExactCheckedIn");
  if (checkedIn !== "memory" && checkedIn !== "checkpoint" && checkedIn !== "fresh-process") {
    throw new CheckpointError(
      "BAD_VALUE",
      `"bitExactCheckedIn" of ${where} should be memory, checkpoint or fresh-process, not "${checkedIn.slice(0, 40)}"`,
    );
  }
  const controls = result.object("controls");
  if (controls.keys.length > 20) {
    throw new CheckpointError(
      "BAD_VALUE",
      `"controls" of ${where} names ${controls.keys.length} learners; a report shows 20 at most`,
    );
  }
  return {
    ...figures(result),
    scenario: name(result, "scenario"),
    learner: name(result, "learner"),
    seed: result.whole("seed"),
    bitExactCheckedIn: checkedIn,
    controls: controls.keys.map((key) => ({
      learner: short(key, longestName),
      ...figures(controls.object(key)),
    })),
  };
}

function figures(from: StoredJson): ReportFigures {
  return {
    acc: share(from, "acc"),
    bwt: finite(from, "bwt"),
    fwt: finite(from, "fwt"),
    forgetting: finite(from, "forgetting"),
    matrix: limited(from, "matrix", (row) => limited(row, "value", (entry) => nullableShare(entry, "value"))),
    bitExactOldLogits: from.boolean("bitExactOldLogits"),
    lockedHash: from.nullable("lockedHash", (key) => from.string(key)),
    lockedUnchanged: from.nullable("lockedUnchanged", (key) => from.boolean(key)),
    seconds: number(from, "seconds"),
    warnings: from.list("warnings", (entry) => entry.string("value")),
    tasks: limited(from, "tasks", (entry) => name(entry.object("value"), "name")),
  };
}

/**
 * Narrows the models of `verification.json`, an object with `tasks` or the list itself. A figure that is missing or odd is
 * null: only the names are needed.
 * @throws CheckpointError (`BAD_VALUE`) that names `where` and the field
 */
export function parseModels(value: unknown, where: string): readonly ReportModel[] {
  const file = new StoredJson(Array.isArray(value) ? { tasks: value } : value, where);
  return limited(file, "tasks", (entry) => {
    const model = entry.object("value");
    const known = new Set(model.keys);
    const figure = (key: string): number | null => {
      const found = known.has(key) ? model.value(key) : null;
      return typeof found === "number" && Number.isFinite(found) && found >= 0 ? found : null;
    };
    const ok = known.has("ok") ? model.value("ok") : null;
    return {
      task: model.whole("task"),
      name: known.has("name") ? name(model, "name") : `task ${model.whole("task")}`,
      file: name(model, "file"),
      bytes: figure("bytes"),
      denseBytes: figure("denseBytes"),
      parameters: figure("parameters"),
      denseParameters: figure("denseParameters"),
      // Models of an earlier milliner took floats, and did not say so.
      input: known.has("input") ? name(model, "input") : null,
      transform: known.has("transform") ? model.list("transform", (step) => name(step, "value")) : null,
      images: figure("images"),
      sameArgmax: figure("sameArgmax"),
      ties: figure("ties"),
      largestDifference: figure("largestDifference"),
      ok: typeof ok === "boolean" ? ok : null,
    };
  });
}

function layerCapacity(entry: StoredJson): LayerCapacity {
  const layer = entry.object("value");
  return {
    layer: name(layer, "layer"),
    units: below(layer, "units", mostUnits),
    used: share(layer, "used"),
    active: share(layer, "active"),
    locked: share(layer, "locked"),
  };
}

function spaceMask(entry: StoredJson): SpaceMask {
  const mask = entry.object("value");
  const units = below(mask, "units", mostUnits);
  const bits = mask.string("bits");
  const bytes = Math.ceil(units / 32) * 4;
  const characters = Math.ceil(bytes / 3) * 4;
  if (bits.length !== characters || !/^[A-Za-z0-9+/]*={0,2}$/.test(bits)) {
    const space = name(mask, "space");
    throw new CheckpointError(
      "BAD_VALUE",
      `the mask of "${space}" in ${placeOf(entry)} should be ${characters} characters of base64 for ${units} units, not ${bits.length}`,
    );
  }
  return { space: name(mask, "space"), units, bits };
}

// StoredJson names its place only when it complains.
function placeOf(entry: StoredJson): string {
  try {
    entry.value("place");
  } catch (error) {
    return errorMessage(error).replace(/ has no "place"$/, "");
  }
  return "the file";
}

function limited<T>(from: StoredJson, key: string, read: (entry: StoredJson) => T): readonly T[] {
  const value = from.value(key);
  if (Array.isArray(value) && value.length > mostTasks)
    refuse(from, key, `at most ${mostTasks} entries`, `${value.length}`);
  return from.list(key, read);
}

function number(from: StoredJson, key: string): number {
  const value = from.number(key);
  return Number.isFinite(value) ? value : refuse(from, key, "a finite number", `${value}`);
}

function finite(from: StoredJson, key: string): number | null {
  return from.nullable(key, () => number(from, key));
}

function share(from: StoredJson, key: string): number {
  const value = from.number(key);
  return value >= 0 && value <= 1 ? value : refuse(from, key, "from 0 to 1", `${value}`);
}

function nullableShare(from: StoredJson, key: string): number | null {
  return from.nullable(key, () => share(from, key));
}

function below(from: StoredJson, key: string, limit: number): number {
  const value = from.whole(key);
  return value < limit ? value : refuse(from, key, `below ${limit}`, `${value}`);
}

function task(from: StoredJson, key: string): number {
  return below(from, key, mostTasks);
}

function name(from: StoredJson, key: string): string {
  return short(from.string(key), longestName);
}

function refuse(from: StoredJson, key: string, wanted: string, found: string): never {
  throw new CheckpointError("BAD_VALUE", `"${key}" of ${placeOf(from)} should be ${wanted}, not ${found}`);
}
