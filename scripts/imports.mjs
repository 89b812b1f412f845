// What TypeScript files import: every form that there is, static, re-exported, dynamic and in types.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseSync, Visitor } from "oxc-parser";

const builtFolders = new Set(["node_modules", "dist", "build"]);

/**
 * The TypeScript files of a package with their imports, in a fixed order.
 *
 * @param {string} folder - absolute path of the package
 * @returns {{ path: string, isTest: boolean, imports: { specifier: string, line: number }[] }[]}
 */
export function sourceFiles(folder) {
  return ["src", "test"].flatMap((part) =>
    typescriptFiles(join(folder, part)).map((path) => ({
      path,
      isTest: part === "test" || path.endsWith(".test.ts"),
      imports: importsOf(path),
    })),
  );
}

function typescriptFiles(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return builtFolders.has(entry.name) ? [] : typescriptFiles(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

function importsOf(path) {
  const text = readFileSync(path, "utf8");
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0].message}`);
  const imports = [];
  const note = ({ source }) => {
    if (source?.type !== "Literal") return;
    imports.push({ specifier: source.value, line: text.slice(0, source.start).split("\n").length });
  };
  new Visitor({
    ImportDeclaration: note,
    ExportNamedDeclaration: note,
    ExportAllDeclaration: note,
    ImportExpression: note,
    TSImportType: note,
  }).visit(program);
  return imports;
}

/**
 * Circles among the relative imports of `files`, each as the list of its paths with the first repeated at the
 * end. At least one is found wherever there is any.
 *
 * @param {ReturnType<typeof sourceFiles>} files
 * @returns {string[][]}
 */
export function cycles(files) {
  const known = new Set(files.map((file) => file.path));
  const edges = new Map(
    files.map(({ path, imports }) => [path, imports.flatMap((found) => target(path, found, known))]),
  );
  const done = new Set();
  const found = [];
  const visit = (path, trail) => {
    const seen = trail.indexOf(path);
    if (seen >= 0) return void found.push([...trail.slice(seen), path]);
    if (done.has(path)) return;
    for (const next of edges.get(path)) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

/** The file that a relative import names; sources write `.ts`, and `.js` means the same file once compiled. */
function target(from, { specifier }, known) {
  if (!specifier.startsWith(".")) return [];
  const path = resolve(dirname(from), specifier.replace(/\.js$/, ".ts"));
  return known.has(path) ? [path] : [];
}
