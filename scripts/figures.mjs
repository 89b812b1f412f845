// Tables of measured figures in README.md and docs/: each stands behind a comment `<!-- figures: NAME -->` and is made from
// the results that are committed under benchmarks/results/. A figure without a result there is not written down.
//
//   node scripts/figures.mjs            checks, and prints each table that is not what the results say
//   node scripts/figures.mjs --write    writes them
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

/** What makes the table of `benchmarks/results/NAME.json`, and the command that makes the results. */
const tables = {
  accuracy: { rows: accuracyRows, command: "`npm run bench:accuracy -- PRESET --data FOLDER`" },
  step: { rows: stepRows, command: "`npm run bench:step`" },
};

const isWriting = process.argv.includes("--write");
const violations = [];
for (const page of trackedFiles().filter((path) => /^(README|docs\/.*)\.md$/.test(path))) {
  const before = readFileSync(join(root, page), "utf8");
  const after = before.replace(
    /^(<!-- figures: ([\w-]+) -->)\n+(?:(?:\|[^\n]*\n)+\n+[^\n|]*measured on [^\n]*\n+)?/gm,
    (_, mark, name) => `${mark}\n\n${rendered(name, page)}`,
  );
  if (after === before) continue;
  if (isWriting) writeFileSync(join(root, page), after);
  else
    violations.push(
      `${page}: its figures are not those of benchmarks/results/; run node scripts/figures.mjs --write.`,
    );
}
for (const violation of violations) console.error(violation);
process.exitCode = violations.length > 0 ? 1 : 0;

function rendered(name, page) {
  if (!Object.hasOwn(tables, name)) {
    violations.push(
      `${page}: there are no figures called "${name}"; take one of ${Object.keys(tables).join(", ")}.`,
    );
    return "";
  }
  const results = JSON.parse(readFileSync(join(root, "benchmarks", "results", `${name}.json`), "utf8"));
  return `${table(tables[name].rows(results))}\n\n${tables[name].command}, measured on ${machine(results.machine)}.\n\n`;
}

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function machine({ cpu, cores, isa }) {
  return `${cpu}, ${cores} cores, ${isa}`;
}

function accuracyRows({ rows }) {
  const learners = [...new Set(rows.flatMap((row) => Object.keys(row.learners)))];
  const percent = (value) => (100 * value).toFixed(2);
  const cell = (figures, seeds) =>
    figures === undefined ? "" : `${percent(figures.mean)}${seeds > 1 ? ` ± ${percent(figures.std)}` : ""}`;
  return [
    ["tasks", "seeds", ...learners],
    ...rows.map((row) => [
      row.case,
      String(row.seeds),
      ...learners.map((learner) => cell(row.learners[learner], row.seeds)),
    ]),
  ];
}

function stepRows({ rows }) {
  const milliseconds = (value) => (value === null ? "" : value.toFixed(1));
  const shown = rows.filter((row) => row.peerName !== null);
  return [
    ["step", "ours, ms", "peer, ms", "peer", "ours / peer", "wanted"],
    ...shown.map((row) => [
      row.case,
      milliseconds(row.ours),
      milliseconds(row.peer),
      row.peerName,
      row.ratio.toFixed(3),
      row.target === null ? "" : `≤ ${row.target}${row.met ? "" : ", missed"}`,
    ]),
  ];
}
