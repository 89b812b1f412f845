#!/usr/bin/env node
// Builds the addon from the sources in this package, for machines that no prebuilt binary fits. Needs CMake 3.20 and a
// C++20 compiler.
import { spawnSync } from "node:child_process";
import { buildAddon } from "../scripts/build-addon.mjs";

if (spawnSync("cmake", ["--version"], { stdio: "ignore" }).error) {
  console.error(
    "milliner-native-build: cmake was not found; install CMake 3.20 or newer and a C++20 compiler.",
  );
  process.exitCode = 2;
} else {
  process.exitCode = buildAddon() === 0 ? 0 : 1;
}
