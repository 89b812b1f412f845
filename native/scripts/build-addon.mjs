// Builds build/Release/milliner.node with cmake-js from the sources beside this file, on all processors: make takes one
// job unless it is told more. No header is downloaded: package.json's binary.napi_versions lets cmake-js take Node-API's
// from the npm package node-api-headers.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeMovedBuild } from "./moved-build.mjs";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs cmake-js in the package's folder and returns its exit status. */
export function buildAddon(extra = []) {
  removeMovedBuild(join(packageFolder, "build"), packageFolder);
  const require = createRequire(import.meta.url);
  const cmakeJs = join(dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  const processors = process.env.CMAKE_BUILD_PARALLEL_LEVEL || String(availableParallelism());
  const build = [cmakeJs, "build", "--log-level", "warn", "--parallel", processors, ...extra];
  const { status, error } = spawnSync(process.execPath, build, { cwd: packageFolder, stdio: "inherit" });
  if (error) throw error;
  return status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = buildAddon(process.argv.slice(2));
