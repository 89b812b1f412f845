// The public names of each published package, kept in its api.txt so that a review sees every change to them.
//
//   node scripts/api.mjs            names each package whose api.txt does not say what its sources export
//   node scripts/api.mjs --write    writes them
//
// It also holds an entry file to what it is: a list of names written by hand, each from the file that declares it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseSync } from "oxc-parser";
import { packages, root } from "./workspace.mjs";

const write = process.argv.includes("--write");
const problems = [];

for (const { folder, manifest } of packages().filter(({ manifest }) => manifest.private !== true)) {
  const path = join(root, folder, "api.txt");
  const current = existsSync(path) ? readFileSync(path, "utf8") : "";
  const wanted = describe(folder, manifest);
  if (current === wanted) continue;
  if (write) writeFileSync(path, wanted);
  else
    problems.push(
      `${folder}/api.txt is out of date; see "node scripts/api.mjs --write":\n${difference(current, wanted)}`,
    );
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

function describe(folder, manifest) {
  const parts = [`# Public names of ${manifest.name}. Written by "node scripts/api.mjs --write".`];
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue; // a file given out as it is
    const entry = join(root, folder, target["milliner-source"]);
    const lines = namesOf(entry).map(({ name, kind }) => `${kind.padEnd(9)} ${name}`);
    parts.push([`${manifest.name}${subpath.slice(1)}`, ...lines].join("\n"));
  }
  const commands = Object.keys(manifest.bin ?? {}).map((name) => `command   ${name}`);
  if (commands.length > 0) parts.push(commands.toSorted().join("\n"));
  return `${parts.join("\n\n")}\n`;
}

/** What an entry file exports, sorted by name. */
function namesOf(entry) {
  const names = [];
  for (const statement of parse(entry).body) {
    if (
      statement.type !== "ExportNamedDeclaration" ||
      (statement.source === null && statement.specifiers.length > 0) ||
      statement.declaration
    ) {
      problems.push(
        `${relative(root, entry)} holds more than \`export { name } from "./file.ts"\`: ${statement.type}.`,
      );
      continue;
    }
    for (const { local, exported, exportKind } of statement.specifiers) {
      const isType = exportKind === "type" || statement.exportKind === "type";
      const declared = kindOf(resolve(dirname(entry), statement.source.value), local.name);
      // A class or function exported as a type gives the type only.
      names.push({ name: exported.name, kind: isType && declared !== "interface" ? "type" : declared });
    }
  }
  return names.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** How `name` is declared in the file at `path`, followed through files that only hand it on. */
function kindOf(path, name) {
  const { body } = parse(path);
  for (const statement of body) {
    const declaration =
      statement.type === "ExportNamedDeclaration" ? (statement.declaration ?? statement) : statement;
    switch (declaration.type) {
      case "FunctionDeclaration":
      case "TSDeclareFunction":
        if (declaration.id?.name === name) return "function";
        break;
      case "ClassDeclaration":
        if (declaration.id.name === name) return "class";
        break;
      case "TSInterfaceDeclaration":
        if (declaration.id.name === name) return "interface";
        break;
      case "TSTypeAliasDeclaration":
        if (declaration.id.name === name) return "type";
        break;
      case "VariableDeclaration":
        if (declaration.declarations.some(({ id }) => id.name === name)) return "const";
        break;
      case "ExportNamedDeclaration": {
        const handed = declaration.specifiers.find(({ exported }) => exported.name === name);
        if (handed && declaration.source)
          return kindOf(resolve(dirname(path), declaration.source.value), handed.local.name);
        if (handed && handed.local.name !== name) return kindOf(path, handed.local.name);
        break;
      }
      default:
    }
  }
  problems.push(`${relative(root, path)} does not declare ${name}.`);
  return "unknown";
}

function parse(path) {
  const { program, errors } = parseSync(path, readFileSync(path, "utf8"));
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0].message}`);
  return program;
}

/** Lines that only one of the two texts has. */
function difference(before, after) {
  const [old, fresh] = [before, after].map((text) => text.split("\n"));
  const gone = old.filter((line) => !fresh.includes(line)).map((line) => `  - ${line}`);
  const added = fresh.filter((line) => !old.includes(line)).map((line) => `  + ${line}`);
  return [...gone, ...added].join("\n");
}
