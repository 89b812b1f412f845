// Tables of measured figures in README.md and docs/: each stands behind a comment `<!-- figures: NAME -->` and is made from
// the results that are committed under benchmarks/results/. A figure without a result there is not written down.
//
//   node scripts/figures.mjs            checks, and prints each table that is not what the results say
//   node scripts/figures.mjs --write    writes them
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trackedFiles } from "./tracked-files.mjs";
import { root } from "./workspace.mjs";

/** What makes a table of `benchmarks/results/NAME.json` (or of those of `results`), and the command that makes the results. */
const tables = {
  accuracy: { rows: accuracyRows, command: "`npm run bench:accuracy -- PRESET --data FOLDER`" },
  kernels: { rows: comparisonRows, command: "`npm run bench:kernels`" },
  step: { rows: comparisonRows, command: "`npm run bench:step`" },
  "step-peers": { results: "step", rows: peerRows, command: "`npm run bench:step`" },
  epoch: { rows: comparisonRows, command: "`npm run bench:epoch -- --data FOLDER`" },
  "whole-run": { rows: comparisonRows, command: "`npm run bench:epoch -- --whole-run --data FOLDER`" },
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
  const { results: file = name, rows, command } = tables[name];
  const path = join(root, "benchmarks", "results", `${file}.json`);
  // Not measured yet: the place is kept, and nothing stands there.
  if (!existsSync(path)) return "";
  const results = JSON.parse(readFileSync(path, "utf8"));
  return `${table(rows(results))}\n\n${command}, measured on ${machine(results.machine)}.\n\n`;
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

/** Against other libraries, on one thread: for a page that is not about kernels. */
function peerRows({ rows }) {
  const isOther = ({ peerName }) => /^(PyTorch|tfjs)/.test(peerName ?? "");
  return comparisonRows({ rows: rows.filter((row) => row.threads === 1 && isOther(row)) });
}

/** Rows as benchmarks/src/row.ts describes them. */
function comparisonRows({ rows }) {
  const shown = rows.filter((row) => row.peerName !== null);
  return [
    ["case", "threads", "ours", "peer", "best peer", "peer / ours", "share of the limit", "wanted"],
    ...shown.map((row) => [
      row.case,
      String(row.threads),
      `${digits(row.ours)} ${row.unit}`,
      `${digits(row.peer)} ${row.unit}`,
      row.peerName,
      row.ratio === null ? "" : digits(row.ratio),
      row.share === null ? "" : percent(row.share),
      wanted(row),
    ]),
  ];
}

function wanted({ target, met }) {
  if (target === null) return "";
  const texts = Object.entries(target).flatMap(([figure, { atLeast, atMost }]) => {
    const text = figure === "share" ? percent : digits;
    return [
      ...(atLeast === undefined ? [] : [`≥ ${text(atLeast)}`]),
      ...(atMost === undefined ? [] : [`≤ ${text(atMost)}`]),
    ];
  });
  return `${texts.join(", ")}${met === false ? ", missed" : ""}`;
}

/** Three digits, and no exponent. */
function digits(value) {
  const places = 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-3)));
  return value.toFixed(Math.min(Math.max(places, 0), 4));
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
