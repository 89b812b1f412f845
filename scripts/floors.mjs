// Who may import whom. A package imports only from floors below its own, declared in its package.json, and by package
// name; the files of a package import each other without a cycle; inner walls keep a part of a package to itself.
//
//   node scripts/floors.mjs            checks, and prints each violation with its file and line
//   node scripts/floors.mjs --graph    prints the packages as a Mermaid graph; README.md shows it behind <!-- floors -->
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { cycles, sourceFiles } from "./imports.mjs";
import { codeBlocks } from "./markdown.mjs";
import { packages, root } from "./workspace.mjs";

/** The house, ground floor first. Packages of one floor do not know each other; the top floor is never published. */
const floors = [
  ["@milliner/native", "@milliner/data"],
  ["@milliner/core"],
  ["@milliner/continual", "@milliner/onnx"],
  ["@milliner/hat", "@milliner/pah", "@milliner/baselines", "@milliner/attention"],
  ["milliner"],
  ["milliner-benchmarks", "milliner-demo"],
];

/** Parts that will become packages of their own: nothing outside the folder, and none of these packages, imports them. */
const walls = [
  {
    package: "@milliner/continual",
    folder: "src/baselines",
    entry: "@milliner/continual/baselines",
    closedTo: ["@milliner/hat"],
  },
];

/** What the workspace's root provides to the tests of every package. */
const testTools = new Set(["vitest", "fast-check"]);

const floorOf = new Map(floors.flatMap((names, floor) => names.map((name) => [name, floor])));
const violations = [];

if (process.argv.includes("--graph")) process.stdout.write(graph());
else {
  for (const { folder, manifest } of packages()) checkPackage(folder, manifest);
  checkPicture();
  for (const violation of violations) console.error(violation);
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function checkPackage(folder, manifest) {
  const at = `${folder}/package.json`;
  const floor = floorOf.get(manifest.name);
  if (floor === undefined) {
    violations.push(`${at}: ${manifest.name} stands on no floor; give it a place in scripts/floors.mjs.`);
    return;
  }
  // Tests are held to the floors too: a package needed only by another's test would close a circle of builds.
  const runtime = { ...manifest.dependencies, ...manifest.peerDependencies };
  const all = { ...runtime, ...manifest.devDependencies };
  for (const [name, version] of Object.entries(all)) {
    if (!floorOf.has(name)) continue;
    if (floorOf.get(name) >= floor)
      violations.push(`${at}: ${manifest.name} may not depend on ${name}: it is not on a lower floor.`);
    if (version !== "workspace:^")
      violations.push(`${at}: ${name} is a package of this workspace; write "workspace:^".`);
  }

  const files = sourceFiles(join(root, folder));
  for (const file of files)
    for (const found of file.imports)
      checkImport(folder, manifest.name, file, found, { floor, runtime, all });
  for (const cycle of cycles(files))
    violations.push(
      `${folder}: files import each other in a circle: ${cycle.map((path) => relative(join(root, folder), path)).join(" -> ")}`,
    );
}

function checkImport(folder, name, file, { specifier, line }, { floor, runtime, all }) {
  const at = `${relative(root, file.path)}:${line}: imports "${specifier}"`;
  if (specifier.startsWith(".")) {
    const target = resolve(dirname(file.path), specifier);
    if (!target.startsWith(join(root, folder) + sep))
      violations.push(`${at}, which leaves the package; import by package name.`);
    for (const wall of walls) {
      const inside = join(root, folder, wall.folder) + sep;
      if (wall.package === name && target.startsWith(inside) && !file.path.startsWith(inside))
        violations.push(`${at}: ${wall.folder} is a package in waiting; nothing outside it may know it.`);
    }
    return;
  }
  if (specifier.startsWith("node:") || specifier.startsWith("#")) return;

  const target = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const wall = walls.find(({ entry, closedTo }) => entry === specifier && closedTo.includes(name));
  if (wall) violations.push(`${at}: ${name} and ${wall.entry} do not know each other.`);
  if (target === name) {
    if (!file.isTest) violations.push(`${at}, its own package; import the file.`);
    return;
  }
  if (file.isTest && testTools.has(target)) return;
  if (!(target in (file.isTest ? all : runtime)))
    violations.push(
      `${at}, which ${folder}/package.json does not declare${target in all ? " as more than a devDependency" : ""}.`,
    );
  else if (floorOf.has(target) && floorOf.get(target) >= floor)
    violations.push(`${at}, which is not on a lower floor.`);
}

function checkPicture() {
  const page = join(root, "README.md");
  if (!existsSync(page)) return;
  for (const { code, line, directives } of codeBlocks(readFileSync(page, "utf8")))
    if (directives.has("floors") && code.trim() !== graph().trim())
      violations.push(
        `README.md:${line}: the graph differs from what "node scripts/floors.mjs --graph" prints.`,
      );
}

/** An arrow means "imports"; one that follows from others is left out. */
function graph() {
  const shown = packages().filter(({ manifest }) => manifest.private !== true);
  const below = new Map(
    shown.map(({ manifest }) => [
      manifest.name,
      Object.keys(manifest.dependencies ?? {}).filter((name) => floorOf.has(name)),
    ]),
  );
  const reaches = (from, to) => below.get(from).some((name) => name === to || reaches(name, to));
  const id = (name) => name.replace(/^@milliner\//, "");
  const lines = ["graph TD"];
  for (const [name, direct] of below) {
    lines.push(`  ${id(name)}["${name}"]`);
    for (const lower of direct)
      if (!direct.some((other) => other !== lower && reaches(other, lower)))
        lines.push(`  ${id(name)} --> ${id(lower)}`);
  }
  return `${lines.join("\n")}\n`;
}
