// The checks of scripts/ see what they are there for: each is run in a small workspace with one thing wrong in it.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { manifestOf, packageFolders, root } from "../scripts/workspace.mjs";
import { runCommand, type CommandResult } from "./command.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test("every published package is found from the root of a checkout, where README's lines are run", () => {
  const published = packageFolders()
    .map((folder) => manifestOf(folder))
    .filter((manifest) => manifest.private !== true);

  expect(published.length).toBeGreaterThan(5);
  for (const { name } of published)
    expect(existsSync(join(root, "node_modules", name, "package.json")), name).toBe(true);
});

/** A workspace of @milliner/data and @milliner/core in which nothing is wrong, but for the given files. */
async function check(
  script: string,
  wrong: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<CommandResult> {
  const folder = mkdtempSync(join(tmpdir(), "milliner-checks-"));
  folders.push(folder);
  cpSync(join(root, "scripts"), join(folder, "scripts"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const files = {
    "package.json": "{}",
    "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
    "packages/data/package.json": manifest("@milliner/data", {}),
    "packages/data/src/index.ts": "export {};\n",
    "packages/data/api.txt": api("@milliner/data", []),
    "packages/core/package.json": manifest("@milliner/core", { "@milliner/data": "workspace:^" }),
    "packages/core/src/index.ts": 'export { gate, type Gates } from "./gate.ts";\n',
    "packages/core/src/gate.ts":
      'import "@milliner/data";\n/** Equation (1) */\nexport const gate = 1;\nexport interface Gates {}\n',
    "packages/core/src/gate.test.ts": 'test("equals (1)", () => {});\n',
    "packages/core/api.txt": api("@milliner/core", ["interface Gates", "const     gate"]),
    "docs/explanation/equations.md": `# Equations\n\n| (1) | a | ${link("gate.ts")} | ${link("gate.test.ts")} |\n`,
    ...wrong,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return runCommand(process.execPath, [join("scripts", script), ...args], folder);
}

function manifest(name: string, dependencies: Readonly<Record<string, string>>): string {
  return JSON.stringify({ name, exports: { ".": { "milliner-source": "./src/index.ts" } }, dependencies });
}

function api(name: string, lines: readonly string[]): string {
  return [`# Public names of ${name}. Written by "node scripts/api.mjs --write".\n`, name, ...lines, ""].join(
    "\n",
  );
}

function link(file: string): string {
  return `[${file}](../../packages/core/src/${file})`;
}

const gate = "packages/core/src/gate.ts";
const entry = "packages/core/src/index.ts";
const dependsOnCore = manifest("@milliner/data", { "@milliner/core": "workspace:^" });
const around = {
  [gate]: 'export type { Gates } from "./gates.ts";',
  "packages/core/src/gates.ts": 'export type Gates = import("./gate.ts").Gates;',
};

test.each<[script: string, complaint: RegExp, wrong: Readonly<Record<string, string>>]>([
  ["floors.mjs", /gate\.ts:1: .* leaves the package/, { [gate]: 'import "../../data/src/index.ts";' }],
  ["floors.mjs", /gate\.ts:2: imports "zod", which .* does not declare/, { [gate]: '\nimport "zod";' }],
  ["floors.mjs", /imports "fs"/, { [gate]: 'import "fs";' }],
  ["floors.mjs", /circle: src\/gate\.ts -> src\/gates\.ts -> src\/gate\.ts/, around],
  ["floors.mjs", /data may not depend on @milliner\/core/, { "packages/data/package.json": dependsOnCore }],
  ["floors.mjs", /lost stands on no floor/, { "packages/data/package.json": manifest("@milliner/lost", {}) }],
  [
    "api.mjs",
    /api\.txt is out of date[^]*- interface Gates/,
    { [entry]: 'export { gate } from "./gate.ts";' },
  ],
  ["floors.mjs", /README\.md:2: the graph differs/, { "README.md": "<!-- floors -->\n```mermaid\n```\n" }],
  ["api.mjs", /index\.ts holds more than/, { [entry]: 'export * from "./gate.ts";' }],
  ["repository.mjs", /"utils\.ts" says nothing about its subject/, { "packages/core/src/utils.ts": "" }],
  ["repository.mjs", /data\.bin has 1000001 bytes/, { "data.bin": "x".repeat(1_000_001) }],
  ["repository.mjs", /isolate-0x1-v8\.log belongs to nothing/, { "isolate-0x1-v8.log": "" }],
  ["repository.mjs", /src\/core\.4711 belongs to nothing/, { "packages/core/src/core.4711": "" }],
  ["repository.mjs", /src\/gate\.ts\.orig belongs to nothing/, { [`${gate}.orig`]: "" }],
  [
    "repository.mjs",
    /report\.20260801\.json belongs to nothing/,
    { "packages/core/report.20260801.json": "" },
  ],
  ["repository.mjs", /notes\/a\.md belongs to nothing/, { "notes/a.md": "" }],
  [
    "repository.mjs",
    /README\.md:1 lets make start a compiler/,
    { "README.md": `cmake --build . ${"--parallel"}` },
  ],
  ["repository.mjs", /README\.md:1 lets make/, { "README.md": `cmake --build . ${"--parallel"} --target a` }],
  ["repository.mjs", /README\.md:1 links to docs\/nowhere\.md/, { "README.md": "[a](docs/nowhere.md)" }],
  ["repository.mjs", /README\.md has no such heading/, { "README.md": "# Laws\n\n[a](#lores)" }],
  ["repository.mjs", /pnpm-lock\.yaml:1 holds an address/, { "pnpm-lock.yaml": "a: {tarball: b}" }],
  ["equations.mjs", /implements Equation \(2\), which/, { [gate]: "// Equations (1) and (2)" }],
  ["equations.mjs", /"Equation \(1\)" stands in no source/, { [gate]: "" }],
  [
    "equations.mjs",
    /no test of .* has \(1\) in its name/,
    { "packages/core/src/gate.test.ts": 'test("a", f);' },
  ],
])("%s says %s", async (script, complaint, wrong) => {
  const result = await check(script, wrong);

  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(complaint);
});

test.each(["floors.mjs", "api.mjs", "repository.mjs", "equations.mjs"])(
  "%s has nothing to say where nothing is wrong",
  async (script) => {
    const { status, stdout, stderr } = await check(script, {});

    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  },
);

test("a step that cannot run here is counted as skipped, with its reason, and not as ok", async () => {
  const { status, stdout } = await runCommand(process.execPath, ["scripts/test.mjs", "neon"], root, {
    PATH: "",
  });

  expect(status).toBe(0);
  expect(stdout).toMatch(/^# skipped neon: .+\n0 passed, 0 failed, 1 skipped\n$/);
});

test("what failed stands again at the end, test by test with its file and the first line of what it said", async () => {
  const { status, stdout } = await check(
    "test.mjs",
    {
      "vitest.config.ts": 'export default { test: { name: "unit" } };\n',
      "packages/core/src/broken.test.ts": 'import "./nowhere.ts";\n',
      "packages/core/src/gate.test.ts": `
        import { expect, test } from "vitest";
        test("one", () => expect(1).toBe(1));
        test("two", () => { throw new Error("two is not three\\nand never was"); });`,
      "native/CMakeLists.txt": `
        cmake_minimum_required(VERSION 3.20)
        project(two LANGUAGES NONE)
        enable_testing()
        add_custom_target(milliner-tests)
        add_custom_target(milliner-bench)
        add_test(NAME right COMMAND \${CMAKE_COMMAND} -E echo "FAILED to fail")
        add_test(NAME wrong COMMAND sh -c "echo FAILED a sum: 3 checks; echo FAILED a product: 1 checks; exit 1")`,
      "native/scripts/build-addon.mjs": `
        import { execFileSync } from "node:child_process";
        execFileSync("cmake", ["-S", "native", "-B", "native/build"]);`,
    },
    ["floors", "types", "unit", "cpp"],
  );

  expect(status).toBe(1);
  expect(stdout.split("\n").filter((line) => line.startsWith("# ok"))).toEqual([
    expect.stringMatching(/^# ok floors/),
  ]);
  expect(stdout.slice(stdout.lastIndexOf("# FAILED types"))).toMatch(
    new RegExp(
      [
        "^# FAILED types \\d+",
        "  error TS5058: .+",
        "# FAILED unit \\d+",
        "  packages/core/src/broken\\.test\\.ts: .*nowhere.*",
        "  packages/core/src/gate\\.test\\.ts: two: Error: two is not three",
        "# FAILED cpp \\d+",
        "  wrong: FAILED a sum: 3 checks",
        "  wrong: FAILED a product: 1 checks",
        "1 passed, 5 failed, 0 skipped\n$",
      ].join("\n"),
    ),
  );
});

test("a soak draws so many times more, by its seed, and says how often and for which test", async () => {
  const soak = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(process.execPath, ["scripts/soak.mjs", "--only", "json-flaw", ...args], root);

  const { status, stdout, stderr } = await soak("--times", "2", "--seed", "7");

  expect(status, stderr).toBe(0);
  const { tests, ...rest } = JSON.parse(stdout) as { readonly tests: readonly unknown[] };
  expect(rest).toMatchObject({ times: 2, seed: 7, failed: 0 });
  expect(tests).toHaveLength(2);
  for (const one of tests)
    expect(one).toMatchObject({ file: "packages/core/src/formats/json-flaw.test.ts", draws: 2000 });
  expect(await soak("--times", "1")).toMatchObject({
    status: 2,
    stderr: 'soak: --times is a whole number of at least 2, and not "1".\n',
  });
});
