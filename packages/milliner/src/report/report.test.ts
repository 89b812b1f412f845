import { mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readResult } from "@milliner/continual";
import { readRun, renderReport, writeReport } from "./index.ts";
import { writeSyntheticRun } from "./testing/synthetic-run.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-report-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const report = async (): Promise<string> => renderReport(await readRun(folder));

/** Attributes of the picture elements that hold numbers. */
const drawnNumbers = (page: string): readonly string[] =>
  [...page.matchAll(/ (?:d|x|y|x1|x2|y1|y2|cx|cy|r|width|height|viewBox)="([^"]*)"/g)].map(
    (match) => match[1]!,
  );

/** Elements that are opened and not closed again, or the other way round. */
function unbalanced(page: string): readonly string[] {
  const void_ = new Set(["meta", "!doctype", "line", "rect", "circle", "path"]);
  const open: string[] = [];
  const body = page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, "");
  for (const [, close, name] of body.matchAll(/<(\/?)([!a-z][a-z0-9]*)[^>]*>/g)) {
    if (close === "/") {
      const last = open.pop();
      if (last !== name) return [`</${name}> closes <${last}>`];
    } else if (!void_.has(name!)) open.push(name!);
  }
  return open;
}

const textOf = (page: string): string =>
  page
    .replace(/<style>[\s\S]*?<\/style>/, "")
    .replace(/<[^>]*>/g, "")
    .replace(/[ \n]+/g, " ");

describe("the report of a run", () => {
  test("tells accuracy beside the controls, and that old logits kept their bits", async () => {
    await writeSyntheticRun(folder);

    const text = textOf(await report());

    expect(text).toMatch(
      /Average accuracy 98\.\d\d\u00a0%, beside 9\d\.\d\d\u00a0% of random-body, the best control\./,
    );
    expect(text).toContain("Logits of earlier tasks bit-identical: yes, checked in a fresh process");
    expect(text).toContain("sgd: the learning rate never fell");
  });

  test("has every section in order, with its pictures and tables", async () => {
    await writeSyntheticRun(folder);

    const page = await report();

    const sections = [...page.matchAll(/<section id="(\w+)"/g)].map((match) => match[1]);
    expect(sections).toEqual([
      "matrix",
      "curve",
      "controls",
      "capacity",
      "masks",
      "training",
      "models",
      "configuration",
      "warnings",
    ]);
    const pictures = [...page.matchAll(/<svg\b/g)];
    expect(pictures).toHaveLength(2 + 2 + 2 + 5); // curve, wide and narrow, capacity and masks of two layers, training of five tasks
    expect([...page.matchAll(/<svg\b[^>]*role="img"[^>]*>\s*<title/g)]).toHaveLength(pictures.length);
    expect(page).not.toContain('class="none"');
  });

  test("says what the exported files take, and what they do to it", async () => {
    await writeSyntheticRun(folder);

    expect((await report()).replaceAll(/\s+/g, " ")).toContain(
      "Input: uint8 [batch, 28, 28, 1], the bytes of images from 0 to 255; permute and normalise are in the file.",
    );
  });

  test("closes every element that it opens, and gives no two the same id", async () => {
    await writeSyntheticRun(folder, { names: ["<b>", "</section>"] });

    const page = await report();

    expect(unbalanced(page)).toEqual([]);
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("needs no network", async () => {
    await writeSyntheticRun(folder);

    expect(await report()).not.toMatch(/https?:|src=|href=|@import|url\(/);
  });

  test("holds no number that cannot be drawn", async () => {
    await writeSyntheticRun(folder, { tasks: 1, epochs: 1, units: 1 });
    const one = await report();
    await writeSyntheticRun(folder, { tasks: 30, units: 33 });
    const many = await report();

    for (const number of [...drawnNumbers(one), ...drawnNumbers(many)])
      expect(number).not.toMatch(/NaN|Infinity|undefined|null|e[+-]?\d/);
    expect(drawnNumbers(many).length).toBeGreaterThan(1000);
  });

  test("stays below 1 MB for ten tasks of two layers with 2000 units", async () => {
    await writeSyntheticRun(folder, { tasks: 10, units: 2000, epochs: 200 });

    expect((await report()).length).toBeLessThan(1_000_000);
  });

  test("stays below 3 MB for a hundred tasks of large layers", async () => {
    await writeSyntheticRun(folder, { tasks: 100, units: 20_000, epochs: 20 });

    expect((await report()).length).toBeLessThan(3_000_000);
  });

  test("warns where locked elements changed, and does not call the logits identical", async () => {
    await writeSyntheticRun(folder);
    const path = join(folder, "result.json");
    const broken = (await readFile(path, "utf8"))
      .replace('"lockedUnchanged":true', '"lockedUnchanged":false')
      .replace('"bitExactOldLogits":true', '"bitExactOldLogits":false');
    await writeFile(path, broken);

    const text = textOf(await report());

    expect(text).toContain("hat: elements that were locked have changed afterwards.");
    expect(text).toContain("Logits of earlier tasks bit-identical: no");
  });

  test("of a method that locks nothing tells of bits as of a figure, without blame", async () => {
    await writeSyntheticRun(folder);
    const path = join(folder, "result.json");
    const result = JSON.parse(await readFile(path, "utf8")) as object;
    await writeFile(
      path,
      JSON.stringify({
        ...result,
        learner: "ewc",
        lockedHash: null,
        lockedUnchanged: null,
        bitExactOldLogits: false,
      }),
    );

    const page = await report();

    expect(textOf(page)).toContain(
      "Logits of earlier tasks bit-identical: no, checked in a fresh process; ewc locks nothing and does not promise it",
    );
    expect(page).not.toContain("✗");
    expect(page).not.toContain('class="bits bad"');
  });

  test.each([
    [0.9501, 0.94, "1.01 points above random-body"],
    [0.9074, 0.94, "3.26 points below random-body"],
    [0.95, 0.94, "1.00 point above random-body"],
    [0.94, 0.940001, "the same as random-body"],
  ])("says of %f beside %f how far and where, once", async (acc, other, words) => {
    await writeSyntheticRun(folder);
    const path = join(folder, "result.json");
    const { controls, ...result } = JSON.parse(await readFile(path, "utf8")) as {
      controls: Record<string, object>;
    };
    const floor = { ...controls["random-body"], acc: other };
    await writeFile(path, JSON.stringify({ ...result, acc, controls: { "random-body": floor } }));

    const tile = /<dt>Average accuracy<\/dt>\s*<dd>(.*?)<\/dd>/s.exec(await report())?.[1] ?? "";

    expect(textOf(tile)).toContain(words);
    expect(tile).not.toMatch(/[+−]/);
  });

  test("counts one task, one epoch and one unit in the singular", async () => {
    await writeSyntheticRun(folder, { tasks: 1, epochs: 1, units: 1 });

    const text = (await report()).replace(/<[^>]*>/g, " ");

    expect(text).not.toMatch(/\b1 (tasks|epochs|units|layers|ties|points)\b/);
    expect(text).toMatch(/\b1 task\b/);
    expect(text).toMatch(/\b1 epoch\b/);
    expect(text).toMatch(/\b1 unit\b/);
  });

  test("of one task claims nothing of earlier ones, and offers no comparison of two", async () => {
    await writeSyntheticRun(folder, { tasks: 1 });

    const page = await report();

    expect(textOf(page)).toContain("One task: no earlier logits to compare yet");
    const controls = /<section id="controls"[\s\S]*?<\/section>/.exec(page)?.[0] ?? "";
    expect(textOf(controls)).toContain("method 98.50\u00a0%");
    expect(controls).not.toContain(">yes<");
    expect(page).not.toContain("✓ Logits");
    expect(page).not.toContain("Units that two tasks share");
  });

  test("names the bands of training curves where no curve, however low or high, can be", async () => {
    await writeSyntheticRun(folder);
    const path = join(folder, "events.jsonl");
    const events = await readFile(path, "utf8");
    let epoch = 0;
    await writeFile(
      path,
      events.replace(/"validationAccuracy":[\d.]+/g, () => `"validationAccuracy":${(epoch++ % 11) / 10}`),
    );

    const page = await report();

    const [picture = ""] = /<section id="training"[\s\S]*?<svg[\s\S]*?<\/svg>/.exec(page) ?? [];
    const bands = [...picture.matchAll(/class="band"[^>]* y="([\d.]+)"/g)].map((match) => Number(match[1]));
    const curves = [...picture.matchAll(/<path class="line \w+" d="([^"]*)"/g)].flatMap((match) =>
      [...match[1]!.matchAll(/,(-?[\d.]+)/g)].map((y) => Number(y[1])),
    );
    expect(bands).toHaveLength(2);
    expect(curves.length).toBeGreaterThan(20);
    const letters = 9; // above the line that they stand on
    for (const band of bands) expect(curves.filter((y) => y > band - letters && y < band + 3)).toEqual([]);
  });

  test("draws loss curves with gaps where a loss was not finite", async () => {
    await writeSyntheticRun(folder);
    const events = await readFile(join(folder, "events.jsonl"), "utf8");
    await writeFile(join(folder, "events.jsonl"), events.replace(/"trainLoss":[\d.]+/g, '"trainLoss":null'));

    const page = await report();

    expect(page).toMatch(/<path class="line train" d=""/);
  });
});

describe("a hostile run", () => {
  const hostile = [
    '<script>alert("1")</script>',
    "'\"><img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "\u202edesrever\u0000",
  ];

  test("cannot bring markup into the page by a name", async () => {
    await writeSyntheticRun(folder, { names: hostile });
    const path = join(folder, "result.json");
    const evil = (await readFile(path, "utf8"))
      .replaceAll("split-imaginary", "</title><script>x</script>")
      .replaceAll('"sgd"', '"<i>sgd"');
    await writeFile(path, evil);
    await writeFile(join(folder, "run.yaml"), "</pre><script>y</script>");

    const page = await report();

    expect([...page.matchAll(/<script/g)]).toHaveLength(1); // our own line for printing
    expect(page).not.toMatch(/<img|<i>sgd|\u202e/);
    expect(page).not.toContain("\0");
    expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    expect(page).toContain("&amp;lt;b&amp;gt;");
    expect(unbalanced(page)).toEqual([]);
  });

  const lies: readonly [name: string, from: string | RegExp, to: string, message: RegExp][] = [
    [
      "a share above 1",
      /"used":[\d.]+/,
      '"used":1.5',
      /"used" of .*events\.jsonl line \d+ should be from 0 to 1, not 1\.5/,
    ],
    [
      "a loss of infinity",
      /"trainLoss":[\d.]+/,
      '"trainLoss":1e999',
      /"trainLoss" of .*events\.jsonl line 3 should be a finite number, not Infinity/,
    ],
    [
      "a task beyond all bounds",
      '"task":0',
      '"task":900000000',
      /"task" of .*events\.jsonl line 2 should be below 200/,
    ],
    [
      "more units than bits",
      '"units":400,"bits"',
      '"units":4000,"bits"',
      /the mask of "fc1" in .*line \d+ should be 668 characters of base64 for 4000 units, not 72/,
    ],
    ["a line that is not JSON", '{"step":4', "{step:4", /events\.jsonl line 5 is not JSON/],
  ];
  test.each(lies)("with %s is refused with file and line", async (_, from, to, message) => {
    await writeSyntheticRun(folder);
    const path = join(folder, "events.jsonl");
    await writeFile(path, (await readFile(path, "utf8")).replace(from, to));

    await expect(readRun(folder)).rejects.toThrow(message);
  });

  test("with a file too large to be milliner's is refused before it is read", async () => {
    await writeSyntheticRun(folder);
    await truncate(join(folder, "result.json"), 2 ** 40);

    await expect(readRun(folder)).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining("1099511627776 bytes") as string,
    });
  });

  test("with a torn result is sent to what writes it anew, as every command sends it", async () => {
    await writeSyntheticRun(folder);
    const path = join(folder, "result.json");
    await writeFile(path, (await readFile(path, "utf8")).slice(0, -9));

    const message = `${path} is not JSON; resume the run, which writes it anew`;
    await expect(readRun(folder)).rejects.toThrow(message);
    await expect(readResult(folder)).rejects.toThrow(message);
  });

  test("with a device in place of a file is refused", async () => {
    await writeSyntheticRun(folder);
    await rm(join(folder, "run.yaml"));
    await symlink("/dev/zero", join(folder, "run.yaml"));

    await expect(readRun(folder)).rejects.toMatchObject({ code: "READ_FAILED" });
  });

  test("of another format's version is refused", async () => {
    await writeSyntheticRun(folder);
    const path = join(folder, "result.json");
    await writeFile(path, (await readFile(path, "utf8")).replace('"version":1', '"version":2'));

    await expect(readRun(folder)).rejects.toThrow(/"milliner-result" version 2/);
  });
});

describe("an interrupted run", () => {
  test("is reported as far as it came, and says so", async () => {
    await writeSyntheticRun(folder, { killedAfter: 3 });

    const page = await report();

    expect(textOf(page)).toContain("3 of 5 tasks learned and evaluated");
    expect(page).not.toContain("bit-identical: <strong>");
    expect(unbalanced(page)).toEqual([]);
  });

  test("that was killed before its first event ended is still a page", async () => {
    await writeSyntheticRun(folder, { killedAfter: 0 });

    expect(textOf(await report())).toContain("0 of 5 tasks learned and evaluated");
  });

  test("may end in a torn line", async () => {
    await writeSyntheticRun(folder, { killedAfter: 3 });
    const path = join(folder, "events.jsonl");
    const events = await readFile(path, "utf8");
    await writeFile(path, events.slice(0, -20));

    expect(textOf(await report())).toMatch(/The last line of events\.jsonl \(line \d+\) is incomplete/);
  });
});

test("a folder that is no run is refused by name", async () => {
  await expect(readRun(folder)).rejects.toMatchObject({
    code: "NOT_A_RUN",
    message: expect.stringContaining(folder) as string,
  });
});

test("the report is written whole, with nothing left aside", async () => {
  await writeSyntheticRun(folder);

  const path = await writeReport(folder);

  expect(path).toBe(join(folder, "report.html"));
  expect((await readdir(folder)).toSorted()).toEqual([
    "events.jsonl",
    "onnx",
    "report.html",
    "result.json",
    "run.yaml",
  ]);
  expect(await readFile(path, "utf8")).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/);
});
