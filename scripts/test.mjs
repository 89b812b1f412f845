// The checks of the workspace, the fast ones first. All of them run even when one fails; each ends in a line
// `# ok NAME MS`, `# FAILED NAME MS` or `# skipped NAME: WHY`. At the very end stands again what failed, test by test, because
// the end is all that many keep of a long log; the last line of all counts the tests, and with what was skipped the steps.
//
//   node scripts/test.mjs               everything
//   node scripts/test.mjs --quick       what takes seconds: `npm run check`
//   node scripts/test.mjs lint types    these only
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { failedInCtest, failedInVitest } from "./failed-tests.mjs";
import { addonBuild, besideAddon, jobs, nativeBuild } from "./native-build.mjs";
import { neonBuild, neonCommands, whyNoNeon } from "./neon.mjs";
import { root } from "./workspace.mjs";

const sanitizedBuild = join(root, ".cache", "native-sanitize");

const steps = [
  { name: "format", quick: true, commands: [tool("oxfmt", "--check"), script("clang-format.mjs")] },
  { name: "lint", quick: true, commands: [tool("oxlint", "--type-aware", "--deny-warnings")] },
  { name: "floors", quick: true, commands: [script("floors.mjs")] },
  { name: "api", quick: true, commands: [script("api.mjs")] },
  {
    name: "repository",
    quick: true,
    commands: [
      script("repository.mjs"),
      script("equations.mjs"),
      script("error-codes.mjs"),
      script("figures.mjs"),
    ],
  },
  { name: "types", quick: true, commands: [tool("tsc", "--project", "tsconfig.test.json")] },
  vitest("unit", { quick: true }),
  ctest("cpp", addonBuild, besideAddon(["milliner-tests", "milliner-bench"])),
  ctest("sanitize", sanitizedBuild, nativeBuild(sanitizedBuild, ["-DMILLINER_SANITIZE=address,undefined"])),
  {
    name: "neon",
    commands: neonCommands,
    whyNot: whyNoNeon,
    failedCases: () => failedInCtest(neonBuild),
  },
  vitest("slow"),
];

const quick = process.argv.includes("--quick");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const unknown = named.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no step "${unknown[0]}"; the steps are: ${steps.map(({ name }) => name).join(", ")}.`,
  );
  process.exit(2);
}

let passed = 0;
let failed = 0;
let skipped = 0;
const failures = [];
for (const step of steps) {
  if (named.length > 0 ? !named.includes(step.name) : quick && !step.quick) continue;
  await runStep(step);
}
for (const line of failures) console.log(line);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

async function runStep({ name, commands, report, failedCases = () => [], whyNot = () => null }) {
  const reason = whyNot();
  if (reason !== null) {
    skipped += 1;
    console.log(`# skipped ${name}: ${reason}`);
    return;
  }
  const started = performance.now();
  if (report) rmSync(report, { force: true });
  let last = { ok: true, tail: "" };
  for (const command of typeof commands === "function" ? commands() : commands)
    if (last.ok) last = await run(command);
  const { ok, tail } = last;
  const tests =
    report && existsSync(report)
      ? JSON.parse(readFileSync(report, "utf8"))
      : { numPassedTests: 0, numPendingTests: 0, testResults: [] };
  passed += tests.numPassedTests;
  skipped += tests.numPendingTests;
  const end = `# ${ok ? "ok" : "FAILED"} ${name} ${Math.round(performance.now() - started)}`;
  console.log(end);
  if (ok) return;
  const cases = [...failedInVitest(tests), ...failedCases()];
  failed += Math.max(1, cases.length); // a step that fails without a failed test did not get that far
  failures.push(
    end,
    ...(cases.length > 0 ? cases : tail.trim().split("\n").slice(-10)).map((line) => `  ${line}`),
  );
}

/**
 * Runs a program, and shows what it says while it says it.
 *
 * @returns {Promise<{ ok: boolean, tail: string }>} whether its status was 0, and the end of what it said
 */
function run([program, ...args]) {
  return new Promise((resolve) => {
    const env = process.stdout.isTTY ? { FORCE_COLOR: "1", ...process.env } : process.env;
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let tail = "";
    const show = (stream) => (text) => {
      stream.write(text);
      tail = (tail + text).slice(-4000);
    };
    child.stdout.setEncoding("utf8").on("data", show(process.stdout));
    child.stderr.setEncoding("utf8").on("data", show(process.stderr));
    child.on("error", (error) => show(process.stderr)(`${program} could not be started: ${error.message}\n`));
    child.on("close", (status) => resolve({ ok: status === 0, tail }));
  });
}

/** A program that the workspace's root installs. */
function tool(name, ...args) {
  return [join(root, "node_modules", ".bin", name), ...args];
}

/** A script of this folder. */
function script(name, ...args) {
  return [process.execPath, join(root, "scripts", name), ...args];
}

/** One of the projects of vitest.config.ts. */
function vitest(project, options) {
  const report = join(root, ".cache", `vitest-${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  return {
    name: project,
    ...options,
    report,
    commands: [tool("vitest", "run", "--project", project, ...reporters)],
  };
}

/** The C++ tests in a build folder. */
function ctest(name, folder, build) {
  return {
    name,
    failedCases: () => failedInCtest(folder),
    commands: [...build, ["ctest", "--test-dir", folder, "--output-on-failure", "--parallel", jobs]],
  };
}
