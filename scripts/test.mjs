// The checks of the workspace, the fast ones first. All of them run even when one fails; each ends in a line
// `# ok NAME MS`, `# FAILED NAME MS` or `# skipped NAME: WHY`, and the last line of all counts the tests, and with what was
// skipped the steps.
//
//   node scripts/test.mjs               everything
//   node scripts/test.mjs --quick       what takes seconds: `npm run check`
//   node scripts/test.mjs lint types    these only
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildFolder, jobs, nativeBuild } from "./native-build.mjs";
import { neonCommands, whyNoNeon } from "./neon.mjs";
import { root } from "./workspace.mjs";

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
  { name: "cpp", commands: ctest("native-tests") },
  { name: "sanitize", commands: ctest("native-sanitize", "-DMILLINER_SANITIZE=address,undefined") },
  { name: "neon", commands: neonCommands, whyNot: whyNoNeon },
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
for (const step of steps) {
  if (named.length > 0 ? !named.includes(step.name) : quick && !step.quick) continue;
  runStep(step);
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

function runStep({ name, commands, report, whyNot = () => null }) {
  const reason = whyNot();
  if (reason !== null) {
    skipped += 1;
    console.log(`# skipped ${name}: ${reason}`);
    return;
  }
  const started = performance.now();
  if (report) rmSync(report, { force: true });
  const ok = (typeof commands === "function" ? commands() : commands).every(([program, ...args]) => {
    const { status, error } = spawnSync(program, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (error) console.error(`${program} could not be started: ${error.message}`);
    return status === 0;
  });
  const tests =
    report && existsSync(report)
      ? JSON.parse(readFileSync(report, "utf8"))
      : { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
  passed += tests.numPassedTests;
  skipped += tests.numPendingTests;
  failed += ok ? 0 : Math.max(1, tests.numFailedTests); // a step that fails without a failed test did not get that far
  console.log(`# ${ok ? "ok" : "FAILED"} ${name} ${Math.round(performance.now() - started)}`);
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

/** The C++ tests, built without Node in a folder of their own. */
function ctest(folder, ...definitions) {
  return [
    ...nativeBuild(folder, { definitions }),
    ["ctest", "--test-dir", buildFolder(folder), "--output-on-failure", "--parallel", jobs],
  ];
}
