import { execFileSync } from "node:child_process";
import { constants, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readExperimentFile } from "./settings/experiment-file.ts";
import { readRunText } from "./run-text.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner run text "));
afterAll(() => rmSync(folder, { recursive: true }));

test("a text is read, and one that is not there is null", async () => {
  const path = join(folder, "result.json");
  writeFileSync(path, '{"ä": 1}\n');

  expect(await readRunText(path, "result.json")).toBe('{"ä": 1}\n');
  expect(await readRunText(join(folder, "none"), "result.json")).toBeNull();
});

test("what is larger than any run's is refused before it is read", async () => {
  const path = join(folder, "verification.json");
  writeFileSync(path, "");
  truncateSync(path, 4 * 2 ** 20 + 1);

  await expect(readRunText(path, "verification.json")).rejects.toMatchObject({
    name: "CheckpointError",
    code: "TOO_LARGE",
    message: expect.stringContaining("4194305 bytes"),
  });
});

test.skipIf(process.platform === "win32")(
  "a pipe in place of a run's text or of settings is not waited for",
  async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);

    await expect(readRunText(path, "events.jsonl")).rejects.toMatchObject({ code: "READ_FAILED" });
    await expect(readExperimentFile(path)).rejects.toMatchObject({
      name: "ConfigError",
      code: "READ_FAILED",
      message: expect.stringContaining("is a pipe that nobody writes to"),
    });
  },
);

test.skipIf(process.platform === "win32")(
  "settings come from a pipe too, where somebody writes them",
  async () => {
    const path = join(folder, "written");
    execFileSync("mkfifo", [path]);
    const writer = await open(path, "r+");
    const written = writer.write("preset: split-mnist\nname: piped\nepochs: 7\n").then(() => writer.close());

    const { name, settings } = await readExperimentFile(path);
    await written;

    expect([name, settings.epochs]).toEqual(["piped", 7]);
  },
);

test.skipIf(!existsSync("/dev/fd"))(
  "settings that a shell hands over lie in the working folder and are named like their preset: their path is the system's",
  async () => {
    const path = join(folder, "handed over");
    execFileSync("mkfifo", [path]);
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = await open(path, "w");
    await writer.write("preset: permuted-mnist\ndata: digits\n");
    await writer.close();

    const { name, settings } = await readExperimentFile(`/dev/fd/${reader.fd}`);
    await reader.close();

    expect([name, settings.data]).toEqual(["permuted-mnist", resolve("digits")]);
  },
);
