import { DataError } from "./data-error.ts";

/** All keys that options of type T may have; the compiler holds the list complete. */
export type OptionKeys<T> = { readonly [K in keyof T]-?: true };

/**
 * Refuses options with a key that nobody reads: a name that is spelled wrong would silently mean the default.
 *
 * @param owner - whose options they are, as messages call it
 * @throws DataError (`BAD_OPTION`) that names the keys there are
 */
export function checkKeys<T extends object>(owner: string, options: T, keys: OptionKeys<T>): void {
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(keys, key)) continue;
    throw new DataError(
      "BAD_OPTION",
      `${owner} has no option "${key}"; there are ${Object.keys(keys).join(", ")}.`,
    );
  }
}
