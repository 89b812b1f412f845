import { DataError } from "./data-error.ts";

/** All keys that options of type T may have, and which of them are switches; the compiler holds the list complete. */
export type OptionKeys<T> = {
  readonly [K in keyof T]-?: Exclude<T[K], undefined> extends boolean ? "switch" : true;
};

/**
 * Refuses options with a key that nobody reads: a name that is spelled wrong would silently mean the default. A switch is held to
 * be one: the text "false" would silently mean true.
 *
 * @param owner - whose options they are, as messages call it
 * @throws DataError (`BAD_OPTION`) that names the keys there are, or the switch that is neither true nor false
 */
export function checkKeys<T extends object>(owner: string, options: T, keys: OptionKeys<T>): void {
  for (const key of Object.keys(options)) {
    if (!Object.hasOwn(keys, key)) {
      throw new DataError(
        "BAD_OPTION",
        `${owner} has no option "${key}"; there are ${Object.keys(keys).join(", ")}.`,
      );
    }
    const value: unknown = options[key as keyof T];
    if (keys[key as keyof T] !== "switch" || value === undefined || typeof value === "boolean") continue;
    throw new DataError("BAD_OPTION", `${key} of ${owner} must be true or false, not ${shown(value)}.`);
  }
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
