// How the C++ tests are built for arm64 and run, with the NEON kernels and the portable ones, under qemu-user: on x86-64 with
// Debian's g++-aarch64-linux-gnu and qemu-user. `node scripts/test.mjs neon` does it.
import { spawnSync } from "node:child_process";
import { arch } from "node:os";
import { join } from "node:path";
import { jobs, nativeBuild } from "./native-build.mjs";
import { root } from "./workspace.mjs";

const compiler = "aarch64-linux-gnu-g++";

/** The build folder. */
export const neonBuild = join(root, ".cache", "native-neon");

/** Why they cannot run here, or null. */
export function whyNoNeon() {
  if (arch() === "arm64") return "this machine runs NEON itself, in the step cpp";
  const missing = [
    ...(isInstalled(compiler) ? [] : ["g++-aarch64-linux-gnu"]),
    ...(emulator() === undefined ? ["qemu-user"] : []),
  ];
  return missing.length === 0 ? null : `${missing.join(" and ")} not installed`;
}

/** The commands that build and run them. */
export function neonCommands() {
  const definitions = [
    "-DCMAKE_SYSTEM_NAME=Linux",
    "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    `-DCMAKE_CROSSCOMPILING_EMULATOR=${emulator()};-L;/usr/aarch64-linux-gnu`,
  ];
  const run = ["ctest", "--test-dir", neonBuild, "--output-on-failure", "--parallel", jobs];
  return [...nativeBuild(neonBuild, definitions), [...run, "--tests-regex", "^kernels-"]];
}

function emulator() {
  return ["qemu-aarch64", "qemu-aarch64-static"].find(isInstalled);
}

function isInstalled(program) {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}
