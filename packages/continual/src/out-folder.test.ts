import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunFolder } from "./run-folder.ts";

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "milliner-out-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(...names: readonly string[]): Promise<void> {
  for (const name of names) await writeFile(join(folder, name), "");
}

async function open(resume = false): Promise<void> {
  await (await RunFolder.open(folder, resume)).close();
}

test.each([false, true])(
  "a folder of other things is no place for a run, and stays as it is (resume: %s)",
  async (resume) => {
    await put("thesis.tex", "a.txt", "b.txt", "z.txt", ".bashrc");
    const before = await readdir(folder);

    await expect(open(resume)).rejects.toMatchObject({
      name: "ConfigError",
      code: "OTHER_FILES",
      message:
        `${folder} holds other things (.bashrc, a.txt, b.txt and 2 more), among which a run would be strewn; ` +
        `choose a new or an empty folder, such as ${join(folder, "run")}`,
    });
    expect(await readdir(folder)).toEqual(before);
  },
);

test.each([
  ["nothing", []],
  [
    "what a system puts there by itself",
    [".DS_Store", ".gitkeep", ".gitignore", "Thumbs.db", "desktop.ini", ".keep"],
  ],
  ["what a run left that came to nothing", ["run.yaml", ".result.json.1.part"]],
  ["a run with notes beside it", ["events.jsonl", "notes.md"]],
  ["logs of what starts a run", ["train.log", "nohup.out", "slurm-4711.err"]],
])("a folder with %s is", async (_, names) => {
  await put(...names);

  await expect(open()).resolves.toBeUndefined();
});

test("folders of a run's names are its own, and any other is not", async () => {
  await mkdir(join(folder, "checkpoints"));
  await mkdir(join(folder, "onnx"));
  await expect(open()).resolves.toBeUndefined();

  await mkdir(join(folder, "src"));
  await expect(open()).rejects.toMatchObject({ code: "OTHER_FILES" });
});

test("a name of control characters is shown by their numbers", async () => {
  await put("\u001b[2J");

  await expect(open()).rejects.toThrow("(\\u{1b}[2J)");
});
