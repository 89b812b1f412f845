// Builds build/Release/milliner.node with cmake-js from the sources beside this file, on all processors: make takes one
// job unless it is told more. No header is downloaded: package.json's binary.napi_versions lets cmake-js take Node-API's
// from the npm package node-api-headers.
//
//   node native/scripts/build-addon.mjs                             a checkout's addon
//   node native/scripts/build-addon.mjs configure NAME=VALUE...     only makes its build folder ready, with these options
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeMovedBuild } from "./moved-build.mjs";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Builds the addon and returns 0, or the exit status of what failed.
 *
 * @param {readonly string[]} options - of CMake, `NAME=VALUE`
 */
export function buildAddon(options = []) {
  const processors = process.env.CMAKE_BUILD_PARALLEL_LEVEL || String(availableParallelism());
  return configure(options) || cmakeJs("build", "--target", "milliner", "--parallel", processors);
}

function configure(options) {
  removeMovedBuild(join(packageFolder, "build"), packageFolder);
  return cmakeJs("configure", ...options.map((option) => `--CD${option}`));
}

function cmakeJs(...args) {
  const require = createRequire(import.meta.url);
  const program = join(dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  const { status, error } = spawnSync(process.execPath, [program, ...args, "--log-level", "warn"], {
    cwd: packageFolder,
    stdio: "inherit",
  });
  if (error) throw error;
  return status ?? 1;
}

/**
 * Warnings are errors, as they are where the C++ tests take these objects for theirs; but a new warning of a compiler newer than
 * ours is no reason not to have kernels.
 */
function buildInCheckout() {
  if (buildAddon(["MILLINER_WARNINGS_ARE_ERRORS=ON"]) === 0) return 0;
  console.error("build-addon: trying once more, with warnings that are no errors");
  return buildAddon(["MILLINER_WARNINGS_ARE_ERRORS=OFF"]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, ...options] = process.argv.slice(2);
  process.exitCode = command === "configure" ? configure(options) : buildInCheckout();
}
