import { basename, dirname, resolve } from "node:path";
import { types } from "node:util";
import { ConfigError, suggestion } from "@milliner/core";
import { DataError, readBoundedFile } from "@milliner/data";
import { isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type Pair } from "yaml";
import { presetNamed } from "../presets/index.ts";
import { assign, settingKey, shown, type Assignment } from "./assignment.ts";
import { settingKeys, type ScenarioKind, type Settings } from "./settings.ts";
import { yamlFlaw } from "./yaml-flaw.ts";

/** What is to be trained: a preset or a file, with every value filled in. */
export interface Experiment {
  /** Names run folders. */
  readonly name: string;
  readonly settings: Settings;
  /** The settings that a file states itself, and leaves to no preset. A run that is resumed has to have them. */
  readonly stated?: readonly (keyof Settings)[];
}

// A page of settings. What is larger is something else.
const largestBytes = 2 ** 20;

/** Keys of a `scenario:` block, and the settings that they are. */
const scenarioKeys: Readonly<Record<string, keyof Settings>> = {
  kind: "scenario",
  dataset: "dataset",
  data: "data",
  range: "range",
  tasks: "tasks",
  validation: "validation",
};

/** A key and its value with the line that it stands on. */
interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly node: unknown;
  readonly origin: string;
  /** Of an entry within a block, with the block's name. */
  readonly written?: string;
}

/**
 * Reads a YAML file of settings: `preset: NAME` and what differs from it, or `scenario: {kind: split | permuted, ...}`, whose
 * other keys then come from the preset of that kind. `data` is relative to the file. `name` names the run folders; default
 * the file's name. What a shell hands over in a file's place (`<(...)`, `/dev/stdin`) lies nowhere: `data` is relative to the
 * working folder there, and the preset names the run. A run's `run.yaml` is such a file; what it notes about its run, under `run`, is passed over.
 *
 * @throws ConfigError that names the file and the line: `FILE_MISSING`, `READ_FAILED`, `TOO_LARGE`, `BAD_YAML`,
 *   `UNKNOWN_KEY`, `UNKNOWN_PRESET`, `BAD_VALUE`, `CONFLICTING_OPTIONS` (one setting under two names)
 */
export async function readExperimentFile(path: string): Promise<Experiment> {
  const folder = isHandedOver(path) ? resolve() : resolve(dirname(path));
  const { entries } = parseSettingsFile(await readSettingsFile(path), path);
  return experimentOf(entries, path, folder);
}

/** Its folder is the system's, and its name a number that differs each time. */
function isHandedOver(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(resolve(path));
}

/** @throws ConfigError (`FILE_MISSING`, `READ_FAILED`, `TOO_LARGE`) */
export async function readSettingsFile(path: string): Promise<string> {
  try {
    return new TextDecoder().decode(await readBoundedFile(path, largestBytes));
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    if (cause.code === "FILE_MISSING") {
      const sentence = `there is no file ${path}; give a preset or a file of settings`;
      throw new ConfigError("FILE_MISSING", sentence, { cause });
    }
    throw new ConfigError(cause.code === "TOO_LARGE" ? "TOO_LARGE" : "READ_FAILED", cause.message, { cause });
  }
}

/** The entries of the file's map, without those that belong to its run, and the whole as plain values. */
export function parseSettingsFile(
  text: string,
  path: string,
): { readonly entries: readonly Entry[]; readonly whole: unknown } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const line = lines.linePos(error.pos[0]).line;
    throw new ConfigError("BAD_YAML", `${path} line ${line} is not YAML: ${yamlFlaw(error, text)}`, {
      cause: error,
    });
  }
  const root = document.contents;
  if (!isMap(root)) {
    throw new ConfigError(
      "BAD_YAML",
      `${path} is not a map of keys to values; begin with a line such as "preset: split-mnist"`,
    );
  }
  try {
    return { entries: entriesOf(root.items, document, lines, path), whole: document.toJS() };
  } catch (cause) {
    if (!types.isNativeError(cause) || cause.name !== "ReferenceError") throw cause;
    throw new ConfigError(
      "BAD_YAML",
      `${path} has an alias ("*name") of nothing, or aliases that unfold to too much; write the values out`,
      {
        cause,
      },
    );
  }
}

function entriesOf(
  pairs: readonly Pair[],
  document: Document,
  lines: LineCounter,
  path: string,
): readonly Entry[] {
  return pairs.flatMap((pair): Entry[] => {
    const { key, value } = pair as Pair<Node, Node | null>;
    const name = String(isScalar(key) ? key.value : key);
    const origin = `${path} line ${lines.linePos(key.range?.[0] ?? 0).line}`;
    if (name === "scenario" && isMap(value)) {
      return entriesOf(value.items, document, lines, path).map((inner) => {
        const setting = Object.hasOwn(scenarioKeys, inner.key) ? scenarioKeys[inner.key] : undefined;
        if (setting !== undefined) return { ...inner, key: setting, written: `scenario.${inner.key}` };
        const known = suggestion(inner.key, Object.keys(scenarioKeys));
        throw new ConfigError("UNKNOWN_KEY", `${inner.origin}: scenario has no key "${inner.key}"${known}`);
      });
    }
    return [{ key: name, value: value?.toJS(document) ?? null, node: value, origin }];
  });
}

function experimentOf(entries: readonly Entry[], path: string, folder: string): Experiment {
  const own = new Set(["preset", "name", "run"]);
  const find = (key: string): Entry | undefined => entries.find((entry) => entry.key === key);
  const preset = find("preset");
  const scenario = find("scenario");
  if (preset === undefined && scenario === undefined) {
    throw new ConfigError(
      "MISSING_KEY",
      `${path} says neither what preset it changes nor what scenario it is; add a line such as "preset: split-mnist"`,
    );
  }
  const baseName = preset === undefined ? presetOfKind(scenario!) : String(preset.value);
  const base =
    preset === undefined
      ? { ...presetNamed(baseName), dataset: null, tasks: null }
      : presetNamed(baseName, preset.origin);
  const assignments = entries.filter(({ key }) => !own.has(key)).map((entry) => relativeTo(folder, entry));
  const fileName = isHandedOver(path) ? baseName : basename(path).replace(/\.ya?ml$/i, "");
  const owner = preset === undefined ? "a file of settings" : String(preset.value);
  checkOwnKeys(assignments, owner);
  return {
    name: nameOf(find("name"), fileName),
    settings: assign(base, assignments, owner),
    stated: assignments.map((assignment) => settingKey(assignment, owner)),
  };
}

// `preset` is a key of files too: somebody who writes "presett" should hear of it.
function checkOwnKeys(assignments: readonly Assignment[], owner: string): void {
  const known: readonly string[] = [...settingKeys, "smax", "preset", "name"];
  for (const { key, origin } of assignments) {
    if (known.includes(key)) continue;
    throw new ConfigError("UNKNOWN_KEY", `${origin}: ${owner} has no key "${key}"${suggestion(key, known)}`);
  }
}

function presetOfKind({ value, origin }: Entry): string {
  const byKind: Readonly<Record<ScenarioKind, string>> = { split: "split-mnist", permuted: "permuted-mnist" };
  if (value === "split" || value === "permuted") return byKind[value];
  throw new ConfigError(
    "BAD_VALUE",
    `${origin}: scenario must be one of split, permuted, not ${shown(value)}`,
  );
}

function nameOf(entry: Entry | undefined, fileName: string): string {
  if (entry === undefined) return fileName;
  if (typeof entry.value === "string" && /^[\w.-]+$/.test(entry.value) && !/^\.+$/.test(entry.value))
    return entry.value;
  throw new ConfigError(
    "BAD_VALUE",
    `${entry.origin}: name must have letters, digits, "_", "-" and "." only, not ${shown(entry.value)}`,
  );
}

function relativeTo(folder: string, entry: Entry): Assignment {
  const { key, value, node: _, ...rest } = entry;
  const isPath = key === "data" && typeof value === "string" && value !== "";
  return { key, value: isPath ? resolve(folder, value) : value, ...rest };
}
