import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const first = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = realpathSync(mkdtempSync(join(tmpdir(), "milliner copies ")));
const second = join(folder, "node_modules", "@milliner", "core");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  mkdirSync(second, { recursive: true });
  cpSync(join(first, "dist"), join(second, "dist"), { recursive: true });
  writeFileSync(join(second, "package.json"), '{ "type": "module" }');
  symlinkSync(join(first, "..", "..", "native"), join(folder, "node_modules", "@milliner", "native"), "dir");
});

/** What a process says in which copies of the package are used, by their entries. */
function said(entries: readonly string[]): string {
  const program = `
    for (const entry of ${JSON.stringify(entries)}) {
      const { selectBackend, zeros } = await import(entry);
      for (let i = 0; i < 3; i++) zeros([3], { backend: { ...selectBackend("reference") } }).dispose();
    }`;
  const { stderr, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  expect(status, stderr).toBe(0);
  return stderr;
}

test("two copies in one process are one warning with both places, and what to do", () => {
  const stderr = said([join(first, "dist", "index.js"), join(second, "dist", "index.js")]);

  expect(stderr).toContain(`two copies of @milliner/core are used in this process, ${first} and ${second}: `);
  expect(stderr).toContain("npm ls @milliner/core");
  expect(stderr.split("MILLINER_TWO_COPIES")).toHaveLength(2);
});

test("one copy is none, nor is one that is loaded again, as a test runner does", async () => {
  const warned = vi.spyOn(process, "emitWarning");

  (await import("../src/copies.ts")).noteCopy();
  vi.resetModules();
  (await import("../src/copies.ts")).noteCopy();

  expect(warned).not.toHaveBeenCalled();
  expect(said([join(first, "dist", "index.js")])).toBe("");
});
