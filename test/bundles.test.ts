// What bundlers make of the packages. The one that vitest works with bundles them to CommonJS, with an `import.meta.url`
// that is empty, as others leave it there.
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cpuStatus } from "@milliner/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packages, root } from "../scripts/workspace.mjs";
import { runCommand, transcript } from "./command.ts";

const published = packages().filter(({ manifest }) => manifest.private !== true);
const outside = realpathSync(mkdtempSync(join(tmpdir(), "milliner bundle ")));
const bundle = join(outside, "bundle.cjs");
const kernels = cpuStatus();

beforeAll(async () => {
  const entries = published.flatMap(({ folder, manifest }) =>
    Object.values(manifest.exports).map((target) =>
      join(root, folder, typeof target === "string" ? target : target["default"]!),
    ),
  );
  const inside = (path: string): string => JSON.stringify(join(root, "packages", path));
  const program = `
    ${entries.map((entry, index) => `import * as entry${index} from ${JSON.stringify(entry)};`).join("\n")}
    import { selectBackend } from ${inside("core/dist/index.js")};
    import { verifyInFreshProcess } from ${inside("milliner/dist/fresh-process.js")};
    for (const entry of [${entries.map((_, index) => `entry${index}`).join()}]) Object.keys(entry);
    console.log(selectBackend().name);
    verifyInFreshProcess("a run", null, { backend: selectBackend("reference"), threads: 1 }).catch(
      ({ code, message }) => console.log(code, message),
    );`;
  const input = join(outside, "program.js");
  writeFileSync(input, program);
  const { build } = await bundler();
  await build({
    input,
    platform: "node",
    external: ["onnxruntime-node"],
    transform: { define: { "import.meta.url": "undefined" } },
    output: { file: bundle, format: "cjs", codeSplitting: false },
  });
});
afterAll(() => rmSync(outside, { recursive: true, force: true }));

test("all packages in one file of CommonJS are imported, and say what a bundle does not hold", async () => {
  const run = await runCommand(process.execPath, [bundle], outside, {
    MILLINER_NATIVE: "",
    MILLINER_ISA: "",
  });

  expect(run.status, transcript(run)).toBe(0);
  expect(run.stdout).toMatch(/^reference\nNO_FRESH_PROCESS .*milliner\.js is not there\), as in a bundle/);
  expect(run.stderr).toContain("keep @milliner/native out of a bundle (external)");
});

test.runIf(kernels.available)("a bundle computes with the kernels that MILLINER_NATIVE names", async () => {
  const { addon } = kernels as { readonly addon: string };

  const run = await runCommand(process.execPath, [bundle], outside, { MILLINER_NATIVE: addon });

  expect(run.stdout, transcript(run)).toMatch(/^cpu\n/);
  expect(run.stderr).toBe("");
});

// webpack takes `new URL("...", import.meta.url)` for a file of the bundle and stops where there is none, and a function
// called `require`, or the name `createRequire` itself, for its own.
test("no published file gives a bundler a path or a require of its own to resolve", () => {
  const sources = published.flatMap(({ folder }) => {
    const dist = join(root, folder, "dist");
    return readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".js"))
      .map((path) => join(dist, path));
  });

  const found = sources.filter((path) =>
    /new URL\(\s*["'`]|\bimport\s*\{[^}]*\bcreateRequire\b|\brequire\s*=/.test(readFileSync(path, "utf8")),
  );

  expect(sources.length).toBeGreaterThan(100);
  expect(found.filter((path) => !path.includes("golden"))).toEqual([]);
});

interface Bundler {
  readonly build: (options: object) => Promise<unknown>;
}

/** vitest works with vite, and vite with it. */
async function bundler(): Promise<Bundler> {
  let file = realpathSync(join(root, "node_modules", "vitest", "package.json"));
  for (const name of ["vite", "rolldown"]) file = createRequire(file).resolve(name);
  return (await import(pathToFileURL(file).href)) as Bundler;
}
