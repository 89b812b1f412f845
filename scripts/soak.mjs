// The long form of the tests that draw, kill and mutate: each so many times its usual number, with other numbers each time.
//
//   node scripts/soak.mjs [--times 20] [--seed N] [--only PATH]...      `npm run soak`
//
// stdout: one JSON object of what ran, with the seed and the number of draws; what the tests say goes to stderr.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { addonBuild, besideAddon } from "./native-build.mjs";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

const { values } = parseArgs({
  options: {
    times: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    only: { type: "string", multiple: true, default: [] },
  },
});
const [times, seed] = [Number(values.times), Number(values.seed)];
for (const [name, number, least] of [
  ["times", times, 2],
  ["seed", seed, 0],
])
  if (!Number.isInteger(number) || number < least) {
    console.error(`soak: --${name} is a whole number of at least ${least}, and not "${values[name]}".`);
    process.exit(2);
  }

const started = performance.now();
const env = { ...process.env, MILLINER_SOAK: String(times), MILLINER_SOAK_SEED: String(seed) };
const isAsked = (path) => values.only.length === 0 || values.only.some((part) => path.includes(part));
const tests = [...kernelTests(), ...vitestTests()];
const failed = tests.filter(({ status }) => status === "failed").length;
// Beside those with a number of draws, their files hold others, which run once as ever.
const result = {
  format: "milliner-soak",
  version: 1,
  times,
  seed,
  commit: spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).stdout.trim(),
  machine: { cpu: cpus()[0].model, cores: availableParallelism(), node: process.version },
  seconds: seconds(performance.now() - started),
  passed: tests.filter(({ status }) => status === "passed").length,
  failed,
  tests: tests.filter(({ draws, status }) => draws !== undefined || status === "failed"),
};
console.log(JSON.stringify(result, null, 1));
process.exitCode = failed > 0 || tests.length === 0 ? 1 : 0;

/** The C++ tests, on each instruction set that this machine runs. */
function kernelTests() {
  if (!isAsked("native/kernels")) return [];
  for (const command of besideAddon(["milliner-tests"]))
    if (run(command) !== 0) return [{ file: "native/kernels", name: "builds", status: "failed", seconds: 0 }];
  return ["scalar", "avx2", "avx512", "neon"].flatMap((isa) => {
    const from = performance.now();
    const status = run([join(addonBuild, "milliner-tests")], { MILLINER_ISA: isa });
    if (status === 77) return []; // not on this machine
    const took = seconds(performance.now() - from);
    return [
      {
        file: "native/kernels",
        name: isa,
        status: status === 0 ? "passed" : "failed",
        seconds: took,
        draws: times,
      },
    ];
  });
}

/** The files that multiply a number of theirs. */
function vitestTests() {
  const files = trackedFiles().filter(
    (path) =>
      path.endsWith(".test.ts") &&
      isAsked(path) &&
      readFileSync(join(root, path), "utf8").includes('inject("soak")'),
  );
  if (files.length === 0) return [];
  const report = join(root, ".cache", "vitest-soak.json");
  rmSync(report, { force: true });
  const vitest = join(root, "node_modules", ".bin", "vitest");
  run([vitest, "run", ...files, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
  return JSON.parse(readFileSync(report, "utf8")).testResults.flatMap(
    ({ name, message, assertionResults }) => {
      const file = relative(root, name);
      if (assertionResults.length === 0) return [{ file, name: message, status: "failed", seconds: 0 }];
      return assertionResults
        .filter(({ status }) => status !== "pending" && status !== "skipped")
        .map(({ fullName, status, duration, meta }) => ({
          file,
          name: fullName,
          status,
          seconds: seconds(duration ?? 0),
          ...meta,
        }));
    },
  );
}

function run([program, ...args], variables) {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    env: { ...env, ...variables },
    stdio: ["ignore", 2, 2],
  });
  if (error) console.error(`${program} could not be started: ${error.message}`);
  return status;
}

function seconds(milliseconds) {
  return Math.round(milliseconds / 100) / 10;
}
