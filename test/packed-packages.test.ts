// The packages as a stranger gets them: packed, installed from the tarballs with npm into an empty folder outside the
// repository (whose name has a space in it), the addon built from the packed sources.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digitsFolder } from "../examples/demo/src/digits.ts";
import { codeBlocks } from "../scripts/markdown.mjs";
import { packages, pnpmProgram, root } from "../scripts/workspace.mjs";
import { runCommand, transcript } from "./command.ts";

const published = packages().filter(({ manifest }) => manifest.private !== true);
const outside = realpathSync(mkdtempSync(join(tmpdir(), "milliner packed ")));
const tarballs = new Map<string, string>();

beforeAll(async () => {
  for (const { folder, manifest } of published) {
    const target = join(outside, "tarballs", manifest.name.replace("/", "-"));
    mkdirSync(target, { recursive: true });
    const packed = await runCommand(
      process.execPath,
      [pnpmProgram(), "pack", "--pack-destination", target],
      join(root, folder),
    );
    expect(packed.status, transcript(packed)).toBe(0);
    tarballs.set(manifest.name, join(target, readdirSync(target)[0]!));
  }
});

afterAll(() => rmSync(outside, { recursive: true, force: true }));

test.each(published)(
  "$manifest.name packs its licence and its compiled sources, and no test",
  async ({ manifest }) => {
    const listed = await runCommand("tar", ["-tzf", tarballs.get(manifest.name)!], outside);

    const files = listed.stdout.trim().split("\n");
    const entries = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    expect(files).toEqual(
      expect.arrayContaining(["package/LICENSE", ...entries.map((path) => path.replace("./", "package/"))]),
    );
    expect(files.filter((path) => /\.test\.|\.tsbuildinfo$|\/node_modules\//.test(path))).toEqual([]);
  },
);

describe("the command", () => {
  const project = join(outside, "a project");

  beforeAll(async () => {
    await install(project, [...tarballs.keys()]);
    const built = await runCommand("npx", ["milliner-native-build"], project);
    expect(built.status, transcript(built)).toBe(0);
  });

  test("finds nothing wrong with the addon that was built from the packed sources", async () => {
    const doctor = await runCommand("npx", ["milliner", "doctor"], project);

    expect(doctor.status, transcript(doctor)).toBe(0);
    expect(doctor.stderr).toBe("");
  });

  test("its README's example runs", async () => {
    const page = readFileSync(join(root, "README.md"), "utf8");
    const example = codeBlocks(page).find(
      ({ language, directives }) => language === "ts" && !directives.has("no-run"),
    );
    writeFileSync(join(project, "example.ts"), example!.code);
    cpSync(await digitsFolder(), join(project, "digits"), { recursive: true });
    await compile(project, { module: "nodenext" }, "example.ts");

    const run = await runCommand(process.execPath, ["example.js"], project);

    expect(run.status, transcript(run)).toBe(0);
  });

  test.each([{ module: "nodenext" }, { module: "esnext", moduleResolution: "bundler" }])(
    "every public name has its type under %o",
    async (options) => {
      const entries = published.flatMap(({ manifest }) =>
        Object.keys(manifest.exports).map((path) => manifest.name + path.slice(1)),
      );
      const lines = entries.map(
        (entry, index) => `import * as entry${index} from ${JSON.stringify(entry)};\nvoid entry${index};`,
      );
      writeFileSync(join(project, "imports.ts"), lines.join("\n"));

      await compile(project, { ...options, noEmit: true, skipLibCheck: false }, "imports.ts");
    },
  );
});

/** A project with some of the packages, each and all that they need from its tarball. */
async function install(folder: string, names: readonly string[]): Promise<void> {
  const addresses = [...tarballs].map(([name, path]) => [name, `file:${path}`] as const);
  const manifest = {
    private: true,
    type: "module",
    dependencies: Object.fromEntries(addresses.filter(([name]) => names.includes(name))),
    overrides: Object.fromEntries(addresses),
  };
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const installed = await runCommand(
    "npm",
    ["install", "--no-audit", "--no-fund", "--loglevel=error"],
    folder,
  );
  expect(installed.status, transcript(installed)).toBe(0);
}

/** The workspace's compiler on one file of a project. Node's own types are the only thing that a project has to add. */
async function compile(folder: string, options: Record<string, unknown>, file: string): Promise<void> {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    strict: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
    ...options,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  const compiled = await runCommand("tsc", ["--project", folder], folder);
  expect(compiled.status, transcript(compiled)).toBe(0);
}
