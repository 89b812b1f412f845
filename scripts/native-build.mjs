// Builds the C++ without Node, in a folder of .cache/; everything it prints goes to stderr.
//
//   node scripts/native-build.mjs native-tests milliner-bench
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

/** @param {string} name */
export function buildFolder(name) {
  return join(root, ".cache", name);
}

/**
 * The commands that configure a release build and make it.
 *
 * @param {string} name - of the folder
 * @param {{ definitions?: readonly string[], target?: string }} options
 * @returns {string[][]}
 */
export function nativeBuild(name, { definitions = [], target } = {}) {
  const [source, build] = [join(root, "native"), buildFolder(name)];
  return [
    [process.execPath, join(source, "scripts", "moved-build.mjs"), build, source],
    ["cmake", "-S", source, "-B", build, "-Wno-dev", "-DCMAKE_BUILD_TYPE=Release", ...definitions],
    ["cmake", "--build", build, "--parallel", jobs, ...(target === undefined ? [] : ["--target", target])],
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, target] = process.argv.slice(2);
  for (const [program, ...args] of nativeBuild(name, { target })) {
    const { status, error } = spawnSync(program, args, { stdio: ["ignore", 2, 2] });
    if (error) console.error(`${program} could not be started: ${error.message}`);
    if (status !== 0) process.exit(1);
  }
}
