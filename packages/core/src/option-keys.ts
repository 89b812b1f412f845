import { ConfigError } from "./errors.ts";
import { suggestion } from "./nearest.ts";

/** All keys that options of type T may have; the compiler holds the list complete. */
export type OptionKeys<T> = { readonly [K in keyof T]-?: true };

/**
 * Refuses options with a key that nobody reads: a name that is spelled wrong would silently mean the default.
 *
 * @param owner - whose options they are, as messages call it
 * @throws ConfigError (`UNKNOWN_KEY`) that names the nearest key
 */
export function checkKeys<T extends object>(owner: string, options: T, keys: OptionKeys<T>): void {
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(keys, key)) continue;
    throw new ConfigError(
      "UNKNOWN_KEY",
      `${owner} has no option "${key}"${suggestion(key, Object.keys(keys))}`,
    );
  }
}
