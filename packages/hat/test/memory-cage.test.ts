import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { cpuStatus } from "@milliner/core";

const script = fileURLToPath(new URL("learn-tasks.mjs", import.meta.url));
const status = cpuStatus();
const folder = mkdtempSync(join(tmpdir(), "milliner cage "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function learn(variables: Readonly<Record<string, string>> = {}): unknown {
  const output = execFileSync(process.execPath, [script, "2", "231"], {
    env: { ...process.env, ...variables },
    encoding: "utf8",
  });
  return JSON.parse(output) as unknown;
}

/**
 * The environment of a runtime with a memory cage: the addon calls another function than Node's by another name of the same
 * length, and that answers as Electron's does, `napi_no_external_buffers_allowed`.
 */
function caged(addon: string): Readonly<Record<string, string>> {
  const [name, other] = ["napi_create_external_arraybuffer", "cage_create_external_arraybuffer"];
  const [binary, source, library] = ["caged.node", "cage.cc", "cage.so"].map((file) => join(folder, file));
  const bytes = readFileSync(addon);
  const places = [];
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) places.push(at);
  expect(places).not.toEqual([]);
  for (const at of places) bytes.write(other, at, "latin1");
  writeFileSync(binary!, bytes);
  writeFileSync(source!, `extern "C" int ${other}(...) { return 22; }\n`);
  execFileSync(process.env["CXX"] ?? "c++", ["-shared", "-fPIC", "-o", library!, source!]);
  // By its name: a space would end a path in LD_PRELOAD.
  const libraries = [folder, process.env["LD_LIBRARY_PATH"] ?? ""].join(":");
  return { MILLINER_NATIVE: binary!, LD_PRELOAD: "cage.so", LD_LIBRARY_PATH: libraries };
}

// Elsewhere names stand otherwise in a binary, and the loader takes no function from beside it.
test.runIf(status.available && process.platform === "linux")(
  "in a runtime that takes no memory from outside its heap, learning has the same bits",
  () => {
    const { addon } = status as { readonly addon: string };

    expect(learn(caged(addon))).toEqual(learn());
  },
);
