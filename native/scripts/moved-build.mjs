// Removes a build folder that was configured for other sources: of a checkout that has been moved or copied since. CMake would
// refuse it, or, told to build only, compile the sources that lie where it was.
//
//   node native/scripts/moved-build.mjs BUILD SOURCE
import { readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @param {string} build
 * @param {string} source
 */
export function removeMovedBuild(build, source) {
  let cache;
  try {
    cache = readFileSync(join(build, "CMakeCache.txt"), "utf8");
  } catch {
    return; // never configured
  }
  const [, from] = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache) ?? [];
  const [, at] = /^CMAKE_CACHEFILE_DIR:INTERNAL=(.*)$/m.exec(cache) ?? [];
  if (isSame(from, source) && isSame(at, build)) return;
  rmSync(build, { recursive: true, force: true });
}

function isSame(named, folder) {
  try {
    return named !== undefined && realpathSync(named) === realpathSync(folder);
  } catch {
    return false; // it is gone
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) removeMovedBuild(process.argv[2], process.argv[3]);
