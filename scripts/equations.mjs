// docs/explanation/equations.md lists the equations that the sources implement, a row of a table for each:
//
//   | (F) | our form | [gate.ts](../../packages/hat/src/gate.ts) | [gate.test.ts](../../packages/hat/src/gate.test.ts) |
//
// Each row is held to what it says: the source it links has "Equation (F)" in a comment, and no other source has; the
// test it links has "(F)" in the name of a test. Each "Equation (X)" of the sources has a row.
//
//   node scripts/equations.mjs
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

const page = "docs/explanation/equations.md";
const label = String.raw`\((?:\d+|[A-Z]'?)\)`;
const problems = [];

const sources = trackedFiles().filter((path) => /^packages\/.*\/src\/.*(?<!\.test)\.ts$/.test(path));
const implementations = new Map(); // label -> the sources that say "Equation LABEL"
for (const path of sources)
  for (const named of equationsIn(path))
    implementations.set(named, [...(implementations.get(named) ?? []), path]);

const rows = existsSync(join(root, page)) ? rowsOf(readFileSync(join(root, page), "utf8")) : [];
for (const row of rows) checkRow(row);
for (const [name, paths] of implementations)
  if (!rows.some((row) => row.name === name))
    problems.push(`${paths[0]} implements Equation ${name}, which ${page} does not list.`);

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** The labels that follow "Equation" or "Equations" in a file's comments: "Equation (F)", "Equations (1), (2) and (B')". */
function equationsIn(path) {
  const { comments } = parseSync(path, readFileSync(join(root, path), "utf8"));
  const text = comments.map(({ value }) => value.replace(/\n\s*\*?/g, " ")).join("\n");
  const lists = text.matchAll(new RegExp(`\\bEquations? (${label}(?:(?:, | and |, and )${label})*)`, "g"));
  return new Set([...lists].flatMap(([, list]) => list.match(new RegExp(label, "g"))));
}

function rowsOf(text) {
  return text.split("\n").flatMap((line, index) => {
    const name = new RegExp(`^\\|\\s*\`?(${label})\`?\\s*\\|`).exec(line)?.[1];
    if (!name) return [];
    const links = [...line.matchAll(/\]\(([^)\s#]+\.ts)\)/g)].map(([, target]) =>
      posix.join(posix.dirname(page), target),
    );
    return [{ name, at: `${page}:${index + 1}`, links }];
  });
}

function checkRow({ name, at, links }) {
  const source = links.find((path) => !path.endsWith(".test.ts"));
  const test = links.find((path) => path.endsWith(".test.ts"));
  const found = implementations.get(name) ?? [];
  if (found.length !== 1 || found[0] !== source)
    problems.push(
      `${at}: ${name} links ${source ?? "no source"}, but "Equation ${name}" stands in ${found.join(", ") || "no source"}.`,
    );
  if (!test) problems.push(`${at}: ${name} links no test.`);
  else if (!existsSync(join(root, test)) || !testNames(test).some((title) => title.includes(name)))
    problems.push(`${at}: no test of ${test} has ${name} in its name.`);
  if (rows.filter((row) => row.name === name).length > 1) problems.push(`${at}: ${name} is listed twice.`);
}

/** First arguments of the calls of test, it and describe, also of test.each(...)(name) and the like. */
function testNames(path) {
  const { program } = parseSync(path, readFileSync(join(root, path), "utf8"));
  const names = [];
  const callee = (node) =>
    node.type === "MemberExpression"
      ? callee(node.object)
      : node.type === "CallExpression"
        ? callee(node.callee)
        : node.name;
  new Visitor({
    CallExpression({ callee: called, arguments: [first] }) {
      if (!/^(test|it|describe)$/.test(callee(called) ?? "")) return;
      if (first?.type === "Literal") names.push(String(first.value));
      if (first?.type === "TemplateLiteral")
        names.push(first.quasis.map(({ value }) => value.cooked).join(""));
    },
  }).visit(program);
  return names;
}
