import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRun, renderReport } from "./index.ts";
import { style } from "./style.ts";
import { writeSyntheticRun } from "./testing/synthetic-run.ts";

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "milliner-blocks-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Row {
  readonly name: string;
  readonly isBare: boolean;
  readonly cells: readonly string[];
}

const text = (markup: string): string => markup.replace(/<[^>]*>/g, " ").trim();
const rowsOf = (markup: string): readonly Row[] =>
  [...markup.matchAll(/<tr( class="bare")?>([^]*?)<\/tr>/g)].map(([, bare, row]) => ({
    isBare: bare !== undefined,
    name: text(/<th scope="row[^>]*>([^]*?)<\/th>/.exec(row!)?.[1] ?? "").replace(/\s+/g, " "),
    cells: [...row!.matchAll(/<(?:td|th scope="col)[^>]*>([^]*?)<\/t[dh]>/g)].map(([, cell]) => text(cell!)),
  }));

/** The tables of a class, each with the row of its heads and the rows below. */
async function tables(tasks: number, className: string): Promise<readonly (readonly Row[])[]> {
  await writeSyntheticRun(folder, { tasks, epochs: 1, units: 64 });
  const page = renderReport(await readRun(folder));
  return [...page.matchAll(new RegExp(`<table class="${className}[^]*?</table>`, "g"))].map(([table]) =>
    rowsOf(table),
  );
}

// In the synthetic run every task is right for 98 % when it has been learned, give or take one.
test.each([[20], [21], [60]])(
  "the matrix of %i tasks has no row that is wider than paper, and every cell once",
  async (tasks) => {
    const blocks = await tables(tasks, "matrix");

    const widths = blocks.map(([head]) => head!.cells.length - 1); // without the corner
    expect(Math.max(...widths)).toBeLessThanOrEqual(20);
    expect(blocks.flatMap(([head]) => head!.cells.slice(1).map((cell) => Number.parseInt(cell, 10)))).toEqual(
      Array.from({ length: tasks }, (_, task) => task),
    );
    for (const block of blocks) {
      expect(block.slice(1).map(({ name }) => name)).toEqual([
        ...Array.from({ length: tasks }, (_, task) => `${task} task ${task}`),
        "random-body",
        "sgd",
      ]);
    }
    const whole = Array.from({ length: tasks }, (_, t) => blocks.flatMap((block) => block[t + 1]!.cells));
    whole.forEach((row, t) => {
      expect(row).toHaveLength(tasks);
      expect(Number(row[t])).toBeGreaterThanOrEqual(97);
      expect(row.slice(t + 2).every((cell) => cell === "not measured")).toBe(true);
    });
  },
);

test("the units that two tasks share are laid out like that, too", async () => {
  const blocks = await tables(45, "plain overlap");

  const ofOneLayer = blocks.slice(0, 3);
  expect(blocks).toHaveLength(2 * 3);
  expect(ofOneLayer.map(([head]) => head!.cells.length - 1)).toEqual([20, 20, 5]);
  const shared = Array.from({ length: 45 }, (_, t) => ofOneLayer.flatMap((block) => block[t + 1]!.cells));
  expect(shared, "what a task shares with another, that shares with it").toEqual(
    shared.map((_, j) => shared.map((row) => row[j])),
  );
});

test("a row is left out of the paper where its block has nothing in it, and nowhere else", async () => {
  const blocks = await tables(60, "matrix");

  for (const block of blocks) {
    for (const { isBare, cells } of block.slice(1))
      expect(isBare).toBe(cells.every((cell) => cell === "not measured"));
  }
  expect(blocks[1]!.filter(({ isBare }) => isBare)).toHaveLength(19); // task 19 has been tried on 20 before it was learned
});

test("blocks scroll side by side on a screen, and lie one below the other on paper", () => {
  const [screen, paper] = [
    style.slice(0, style.lastIndexOf("@media print")),
    style.slice(style.lastIndexOf("@media print")),
  ];

  expect(screen).toContain(".blocks{display:flex");
  expect(screen).toMatch(/@media screen\{\.again\{/); // on paper the names are there again
  expect(screen).toMatch(/\.scroll\{[^}]*position:relative/); // else names that only a reader hears widen the whole page
  expect(paper).toContain(".blocks{display:block}");
  expect(paper).toContain(".bare{display:none}");
  expect(paper).toContain("pre{white-space:pre-wrap;"); // the configuration's long lines are not cut either
});
