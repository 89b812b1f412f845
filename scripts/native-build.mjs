// Builds the C++ tests and the microbenchmark; everything that it prints goes to stderr.
//
//   node scripts/native-build.mjs milliner-bench
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./workspace.mjs";

/**
 * Compilers at a time: all that --parallel stands for without a number is "no limit" to make, and a compiler of these
 * kernels takes a gigabyte.
 */
export const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL || String(availableParallelism());

const source = join(root, "native");

/** Where setup has built the addon: with its kernels' objects, which take minutes to compile. */
export const addonBuild = join(source, "build");

/**
 * The commands that build targets from the addon's kernels.
 *
 * @param {readonly string[]} targets
 * @returns {string[][]}
 */
export function besideAddon(targets) {
  const options = ["MILLINER_TESTS=ON", "MILLINER_WARNINGS_ARE_ERRORS=ON"];
  return [
    [process.execPath, join(source, "scripts", "build-addon.mjs"), "configure", ...options],
    compile(addonBuild, targets),
  ];
}

/**
 * The commands that configure a release build without Node, in a folder of its own, and make the tests.
 *
 * @param {string} build - the folder
 * @param {readonly string[]} definitions
 * @returns {string[][]}
 */
export function nativeBuild(build, definitions) {
  return [
    [process.execPath, join(source, "scripts", "moved-build.mjs"), build, source],
    ["cmake", "-S", source, "-B", build, "-Wno-dev", "-DCMAKE_BUILD_TYPE=Release", ...definitions],
    compile(build, ["milliner-tests"]),
  ];
}

function compile(build, targets) {
  return ["cmake", "--build", build, "--parallel", jobs, "--target", ...targets];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [program, ...args] of besideAddon(process.argv.slice(2))) {
    const { status, error } = spawnSync(program, args, { stdio: ["ignore", 2, 2] });
    if (error) console.error(`${program} could not be started: ${error.message}`);
    if (status !== 0) process.exit(1);
  }
}
