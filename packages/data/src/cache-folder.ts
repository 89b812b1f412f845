import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

import { DataError } from "./data-error.ts";

/**
 * Where downloaded data sets are kept unless told otherwise: `$XDG_CACHE_HOME/milliner`, else
 * `~/.cache/milliner`.
 *
 * Source: XDG Base Directory Specification 0.8; a relative `XDG_CACHE_HOME` is ignored, as it says.
 *
 * @param environment - default: that of the process
 * @returns an absolute path; the folder need not exist
 * @throws DataError `BAD_OPTION` when there is no home folder either
 */
export function defaultCacheFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const cacheHome = environment["XDG_CACHE_HOME"];
  if (cacheHome !== undefined && isAbsolute(cacheHome)) return join(cacheHome, "milliner");
  const home = environment["HOME"] ?? homedir();
  if (!isAbsolute(home)) {
    throw new DataError(
      "BAD_OPTION",
      "There is no home folder to keep downloads in; set XDG_CACHE_HOME, or name a cache folder.",
    );
  }
  return join(home, ".cache", "milliner");
}
