import { checkNumber, ConfigError, suggestion } from "@milliner/core";
import { parse } from "yaml";
import { settingKeys, settingSpecs, type Settings } from "./settings.ts";

/** A value that somebody gave to a key, and where: `run.yaml line 7` or `--set`. */
export interface Assignment {
  readonly key: string;
  readonly value: unknown;
  readonly origin: string;
  /** What is written there, where that is not the key alone: `scenario.tasks`. */
  readonly written?: string;
}

/**
 * Settings with some values replaced. Of several assignments to one name the last wins; one setting under two names is refused.
 * @param owner - what messages call the thing that has the keys: a preset's name
 * @throws ConfigError (`UNKNOWN_KEY`, `BAD_VALUE`, `CONFLICTING_OPTIONS`)
 */
export function assign(base: Settings, assignments: readonly Assignment[], owner: string): Settings {
  const values: Record<string, unknown> = { ...base };
  const given = new Map<keyof Settings, Assignment>();
  for (const assignment of assignments) {
    const key = settingKey(assignment, owner);
    const before = given.get(key);
    if (before !== undefined && nameOf(before) !== nameOf(assignment)) {
      throw new ConfigError(
        "CONFLICTING_OPTIONS",
        `${assignment.origin}: "${nameOf(assignment)}" is the setting that ${before.origin} gives as "${nameOf(before)}" already; ` +
          `leave one of them out`,
      );
    }
    given.set(key, assignment);
    values[key] = checked(key, assignment);
  }
  return values as unknown as Settings;
}

function nameOf({ key, written }: Assignment): string {
  return written ?? key;
}

/** The setting that an assignment is of. */
export function settingKey({ key, origin }: Assignment, owner: string): keyof Settings {
  const known = settingKeys.find((name) => name === key);
  if (known !== undefined) return known;
  if (key === "smax") return "sMax"; // as papers and shells write it
  throw new ConfigError(
    "UNKNOWN_KEY",
    `${origin}: ${owner} has no key "${key}"${suggestion(key, settingKeys)}`,
  );
}

function checked(key: keyof Settings, { value, origin }: Assignment): unknown {
  const { schema, expects, range } = settingSpecs[key];
  const wanted = key === "controls" ? asList(value) : value;
  const result = schema.safeParse(wanted);
  if (result.success) {
    if (range !== undefined) checkNumber(`${origin}: ${key}`, result.data as number, range);
    return result.data;
  }
  throw new ConfigError("BAD_VALUE", `${origin}: ${key} must be ${expects}, not ${shown(value)}`);
}

/** A value as messages show it: as JSON where JSON can say it, and not without end. */
export function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

/** `none` and null are the empty list; `a,b` and a single name are lists too. */
function asList(value: unknown): unknown {
  if (value === null || value === "none" || value === "") return [];
  return typeof value === "string" ? value.split(",").map((name) => name.trim()) : value;
}

/**
 * `key=value` as given to `--set`; the value is read as YAML, so 0.05 is a number and null is null.
 * @throws ConfigError (`BAD_ASSIGNMENT`)
 */
export function parseAssignment(text: string): Assignment {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new ConfigError(
      "BAD_ASSIGNMENT",
      `--set takes key=value, for example --set epochs=5, not "${text}"`,
    );
  }
  const raw = text.slice(equals + 1);
  let value: unknown = raw;
  try {
    // An empty value is not YAML's null, which for some keys means a default: more likely a variable is not set.
    if (raw.trim() !== "") value = parse(raw);
  } catch {
    // Not YAML: a plain text, which the key's own check judges.
  }
  return { key: text.slice(0, equals).trim(), value, origin: "--set" };
}
