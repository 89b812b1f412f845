// docs/reference/errors.md lists every code that the packages' errors bear, under the class that bears it.
//
//   node scripts/error-codes.mjs
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

const page = "docs/reference/errors.md";
const sections = readFileSync(join(root, page), "utf8").split(/^## /m);
const listed = new Map(
  sections.slice(1).map((section) => {
    const [name] = section.split("\n");
    return [name, new Set([...section.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, code]) => code))];
  }),
);

const missing = new Set();
for (const path of trackedFiles().filter((file) => /^packages\/.*\/src\/.*(?<!\.test)\.ts$/.test(file))) {
  const source = readFileSync(join(root, path), "utf8");
  for (const [, name, code] of source.matchAll(/new (\w+Error)\(\s*"([A-Z][A-Z0-9_]+)"/g))
    if (!listed.get(name)?.has(code)) missing.add(`${path}: ${page} does not list ${code} under ${name}.`);
}
for (const line of missing) console.error(line);
process.exitCode = missing.size > 0 ? 1 : 0;
