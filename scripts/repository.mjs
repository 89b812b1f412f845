// What may lie in the repository: files of a modest size, in a place that somebody made for them, named after their
// subject, that know nothing of the machine or the registry they were made with; a lock file of hashes; Markdown links that
// lead somewhere.
//
//   node scripts/repository.mjs
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { headingAnchors, relativeLinks } from "./markdown.mjs";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

const largestBytes = 1_000_000;
/** A name that says nothing about what a file holds hides a concept that has none yet. */
const namesWithoutSubject = /^(utils?|helpers?|common|misc|shared|types)$/;
/**
 * Every place that holds files, and which. A list of what belongs, not of what does not: what programs leave behind (logs,
 * profiles, core dumps, rejected patches) has more names than anybody knows.
 */
const places = [
  /^(CONTRIBUTING|README)\.md$|^LICENSE$/,
  /^(\.gitignore|\.oxfmtrc\.json|\.oxlintrc\.json|tsconfig\.(base|test)\.json|turbo\.json|vitest\.config\.ts)$/,
  /^(package\.json|pnpm-(lock|workspace)\.yaml)$/,
  /^\.ci\/run$/,
  /^\.changeset\/([\w-]+\.md|config\.json)$/,
  /^docs\/.*\.(md|png)$/,
  /^(scripts|test)\/[^/]+\.(mjs|ts)$/,
  /^test\/golden\/[^/]+\.yaml$/,
  /^(native|benchmarks|packages\/[^/]+|examples\/[^/]+)\/((CHANGELOG|README)\.md|api\.txt|(package|tsconfig)\.json)$/,
  /^(native|benchmarks|packages\/[^/]+|examples\/[^/]+)\/(bin|scripts|src|test)\/.*\.(ts|js|mjs)$/,
  /^packages\/[^/]+\/src\/.*\/?golden\/[^/]+\.(json|py)$/,
  /^native\/(\.clang-format|CMakeLists\.txt)$/,
  /^native\/(addon|bench|dispatch|kernels|test|threads)\/.*\.(cc|h|cmake)$/,
  /^benchmarks\/(peers\/[^/]+\.(cc|mjs|py)|results\/[^/]+\.json)$/,
];
const contents = [
  {
    pattern: /registry\.(npmjs|yarnpkg|npmmirror)\.\w+/,
    why: "names a registry; every checkout has its own",
  },
  {
    pattern: /(^|[^\w.~-])\/(root|Users|work)\/[\w.]/,
    why: "holds an absolute path of one machine",
  },
  {
    pattern: /--parallel["'`]?\s*($|[&;|\])]|-)/,
    why: "lets make start a compiler for every file at once; --parallel takes a number",
  },
  { pattern: /^(<{7}|>{7}) /, why: "is a conflict that was not resolved" },
];

const problems = [];
const files = trackedFiles();
for (const path of files) {
  if (!places.some((place) => place.test(path)))
    problems.push(`${path} belongs to nothing: remove it, or name its place in scripts/repository.mjs.`);
  const { size } = statSync(join(root, path));
  if (size > largestBytes)
    problems.push(`${path} has ${size} bytes, more than ${largestBytes}; make it when it is needed.`);
  for (const part of path.split("/"))
    if (namesWithoutSubject.test(part.split(".")[0]))
      problems.push(`${path}: "${part}" says nothing about its subject; name the concept that it holds.`);
  checkText(path);
}
for (const path of files.filter((name) => name.endsWith(".md") && !name.startsWith(".changeset/")))
  checkLinks(path);
checkLock();

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkText(path) {
  const bytes = readFileSync(join(root, path));
  if (bytes.includes(0)) return; // not text
  for (const [index, line] of bytes.toString("utf8").split("\n").entries())
    for (const { pattern, why } of contents)
      if (pattern.test(line)) problems.push(`${path}:${index + 1} ${why}.`);
}

function checkLinks(path) {
  const text = readFileSync(join(root, path), "utf8");
  for (const { target, line } of relativeLinks(text)) {
    const [file, anchor] = target.split("#");
    const linked = file === "" ? path : posix.join(dirname(path), decodeURIComponent(file));
    if (!existsSync(join(root, linked)))
      problems.push(`${path}:${line} links to ${target}, which does not exist.`);
    else if (
      anchor &&
      linked.endsWith(".md") &&
      !headingAnchors(readFileSync(join(root, linked), "utf8")).has(anchor)
    )
      problems.push(`${path}:${line} links to ${target}, but ${basename(linked)} has no such heading.`);
  }
}

/** Hashes say what is installed; an address would say from where, and where this was locked is nobody's default. */
function checkLock() {
  for (const [index, line] of readFileSync(join(root, "pnpm-lock.yaml"), "utf8").split("\n").entries())
    if (/https?:\/\/|tarball/.test(line))
      problems.push(`pnpm-lock.yaml:${index + 1} holds an address: ${line.trim()}`);
  for (const other of ["package-lock.json", "yarn.lock", "npm-shrinkwrap.json"])
    if (files.some((path) => basename(path) === other))
      problems.push(`${other} is tracked; pnpm-lock.yaml is the lock file.`);
}
