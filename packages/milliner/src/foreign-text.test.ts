// One way to print what others have named: every kind of place where such a text leaves the program.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, printable, writeSafetensors } from "@milliner/core";
import { DataError } from "@milliner/data";
import { afterAll, describe, expect, test, vi } from "vitest";
import { tinyDataset, tinySettings } from "../test/tiny-dataset.ts";
import { Failed } from "./exit-status.ts";
import { main } from "./main.ts";
import { jsonText, oneLine, type Output } from "./output.ts";
import { startProgress } from "./progress/start.ts";
import { html } from "./report/html.ts";
import { textTable } from "./table.ts";
import { train } from "./train.ts";

/** Clears the screen, names a window, begins lines, turns the direction of writing round. */
const foreign = "hat\u001b[2J\u001b]0;x\u0007\n\u009b31m\u2028\u202eb";
const shown = "hat\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{a}\\u{9b}31m\\u{2028}\\u{202e}b";
const raw = /[^\P{Cc}\n]|[\u2028\u202e]/u;

const folder = mkdtempSync(join(tmpdir(), "milliner foreign "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function recorded(isTerminal = false): { readonly output: Output; readonly said: () => string } {
  const pieces: string[] = [];
  const take = (text: string): void => void pieces.push(text);
  const json = (value: object): void => take(jsonText(value));
  return {
    output: { result: take, note: take, json, isTerminal, columns: () => 400 },
    said: () => pieces.join(""),
  };
}

async function command(...args: readonly string[]): Promise<string> {
  const { output, said } = recorded();
  await main(args, output);
  return said();
}

test("errors of all packages show a name in the same way", () => {
  const everything = Array.from({ length: 0x3000 }, (_, code) => String.fromCodePoint(code)).join("");
  const all = `${everything}\ud800漢🎩\ufeff`;

  for (const error of [new ConfigError("X", all), new DataError("BAD_OPTION", all), new Failed("X", all)])
    expect(error.message).toBe(printable(all));
  expect(printable(foreign)).toBe(shown);
});

test.each([
  ["a usage error", ["train", "split-mnist", "--device", foreign]],
  ["an unknown command", [foreign]],
  ["a preset that is none", ["train", foreign]],
  ["a file that is not there", ["inspect", join(folder, foreign)]],
  ["a file that is not there, with its stack", ["inspect", join(folder, foreign), "--debug"]],
  ["a file that is not there, as JSON", ["inspect", join(folder, foreign), "--json"]],
])("%s shows it by number", async (_what, args) => {
  const said = await command(...args);

  expect(said).not.toMatch(raw);
  expect(said).toContain("\\u{1b}[2J");
});

describe.skipIf(process.platform === "win32")("a file of a foreign name", () => {
  const tensors = writeSafetensors(
    new Map([[foreign, { dtype: "F32", shape: [1], data: Float32Array.of(1) }]]),
  );
  const model = Uint8Array.of(0x08, 8, 0x3a, 0);
  test.each([
    ["of tensors", ".safetensors", tensors, `${shown}.safetensors: 1 tensor, `],
    ["of a model", ".onnx", model, `${shown}.onnx: ONNX, `],
  ])("%s is inspected in lines of its own", async (_what, extension, content, line) => {
    const path = join(folder, `${foreign}${extension}`);
    writeFileSync(path, content);

    const said = await command("inspect", path);
    const json = await command("inspect", path, "--json");

    expect(said).not.toMatch(raw);
    expect(said.split("\n")[0]).toContain(line);
    expect(json).not.toMatch(raw);
    expect(JSON.parse(json)).toMatchObject({ [extension === ".onnx" ? "name" : "file"]: path });
  });

  test("a run of foreign classes in a folder of a foreign name is trained, inspected, exported and reported", async () => {
    const dataset = { ...tinyDataset(), warnings: [`${foreign} warns`] };
    const classes = dataset.classes.map((name) => `${name}${foreign}`);
    const named = {
      ...dataset,
      classes,
      train: { ...dataset.train, classes },
      test: { ...dataset.test, classes },
    };
    const out = join(folder, foreign);
    const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    await train({ dataset: named, out, settings: { ...tinySettings, epochs: 1, tasks: 1, controls: [] } });
    const warned = emitWarning.mock.calls.map(([text]) => String(text));
    emitWarning.mockRestore();

    const inspected = await command("inspect", out);
    const again = await command("train", "split-mnist", "--out", out, "--resume");
    const exported = await command("export", out, "--verify", "off");
    const reported = await command("report", out);

    expect(warned).toEqual([`${shown} warns`]);
    for (const said of [inspected, again, exported, reported]) {
      expect(said).not.toMatch(raw);
      expect(said).toContain(shown);
    }
    expect(again).toContain(`run folder: ${join(folder, shown)}\n`);
    expect(again.split("\n").filter((line) => line.startsWith("task 0: "))).toHaveLength(1);
  });
});

test.each([
  ["lines", false, false],
  ["bars", true, false],
  ["silence", false, true],
])("progress in %s shows a warning in one line", (_what, isTerminal, isQuiet) => {
  const { output, said } = recorded(isTerminal);
  const progress = startProgress(output, isQuiet);

  progress.warning(foreign);
  if (!isQuiet) progress.event({ type: "warning", step: 0, time: 0, learner: "hat", message: foreign });

  const lines = [`warning: ${shown}\n`, ...(isQuiet ? [] : [`warning: hat: ${shown}\n`])];
  expect(said().replaceAll("\r\u001b[K", "")).toBe(lines.join(""));
});

test("a cell of a table and a line are one line", () => {
  expect(textTable([[foreign, "1"]])).toBe(`${shown}  1\n`);
  expect(oneLine(foreign)).toBe(`${shown}\n`);
});

test("the report keeps lines, and shows what is no text by number", () => {
  expect(html`<pre>${`a: 1\n\tb: ${foreign}`}</pre>`.text).toBe(
    `<pre>a: 1\n\tb: ${shown.replace("\\u{a}", "\n")}</pre>`,
  );
});

test("JSON is the same value, without what a terminal would obey", () => {
  const value = { [foreign]: [foreign, "漢🎩", "\\u{1b}"] };

  expect(jsonText(value)).not.toMatch(raw);
  expect(jsonText(value)).toContain("漢🎩");
  expect(JSON.parse(jsonText(value))).toEqual(value);
});
