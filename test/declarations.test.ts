// The compiled declarations, read by a program whose settings are not ours.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { packages, root } from "../scripts/workspace.mjs";
import { runCommand, transcript } from "./command.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "milliner declarations ")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  { lib: ["es2022"], types: ["node"] },
  { lib: ["es2022", "dom"], types: [] },
])("all declarations compile, each checked, under $lib with the types of $types", async (settings) => {
  const entries = packages()
    .filter(({ manifest }) => manifest.private !== true)
    .flatMap(({ folder: home, manifest }) =>
      Object.values(manifest.exports).map((target) =>
        join(root, home, typeof target === "string" ? target : target["default"]!),
      ),
    );
  const lines = entries.map((path, index) => `export * as entry${index} from ${JSON.stringify(path)};\n`);
  writeFileSync(join(folder, "program.mts"), lines.join(""));
  const compilerOptions = {
    ...settings,
    typeRoots: [join(root, "node_modules", "@types")],
    target: "es2022",
    module: "nodenext",
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.mts"] }));

  const compiled = await runCommand("tsc", ["--project", folder], folder);

  expect(compiled.status, transcript(compiled)).toBe(0);
});
