// Builds the C++ tests for arm64 and runs them, with the NEON kernels and the portable ones, under qemu-user: on x86-64 with
// Debian's g++-aarch64-linux-gnu and qemu-user. Without them it says so and succeeds.
import { spawnSync } from "node:child_process";
import { arch, availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./workspace.mjs";

const compiler = "aarch64-linux-gnu-g++";
const emulator = ["qemu-aarch64", "qemu-aarch64-static"].find(isInstalled);

if (arch() === "arm64") {
  console.log("neon: this machine runs NEON itself, and the C++ tests have");
} else if (emulator === undefined || !isInstalled(compiler)) {
  console.log("neon: SKIPPED, because g++-aarch64-linux-gnu and qemu-user are not both installed");
} else {
  const build = join(root, ".cache", "native-neon");
  const jobs = String(availableParallelism());
  const target = ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"];
  const tools = [
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    `-DCMAKE_CROSSCOMPILING_EMULATOR=${emulator};-L;/usr/aarch64-linux-gnu`,
  ];
  const source = join(root, "native");
  run("cmake", ["-S", source, "-B", build, "-Wno-dev", "-DCMAKE_BUILD_TYPE=Release", ...target, ...tools]);
  run("cmake", ["--build", build, "--parallel", jobs, "--target", "milliner-tests"]);
  run("ctest", [
    "--test-dir",
    build,
    "--output-on-failure",
    "--parallel",
    jobs,
    "--tests-regex",
    "^kernels-",
  ]);
}

function isInstalled(program) {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error) console.error(`${program} could not be started: ${error.message}`);
  if (status !== 0) process.exit(1);
}
