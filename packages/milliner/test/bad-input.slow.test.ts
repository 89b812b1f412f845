// What the command as it is shipped says of what it cannot take, to a person and to a program.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { saveFolder, writeIdx } from "@milliner/data";
import { describe, expect, test } from "vitest";
import { commandFolder } from "./command-folder.ts";
import { milliner, preload, start } from "./command-process.ts";
import { tinyDataset } from "./tiny-dataset.ts";

const { folder, data, trainArgs } = commandFolder();

describe("bad input ends with 2 and one sentence", () => {
  const none = join(folder, "not made");

  test.each([
    [
      "an unknown preset",
      ["train", "split-mnits"],
      'there is no preset "split-mnits"; did you mean "split-mnist"?',
    ],
    [
      "a setting as an option",
      ["train", "split-mnist", "--epochs", "3"],
      "(epochs is a setting: --set epochs=...)",
    ],
    ["an unknown key", [...trainArgs(none), "--set", "epcohs=3"], 'no key "epcohs"; did you mean "epochs"?'],
    ["a bad value", [...trainArgs(none), "--set", "epochs=0"], "--set: epochs must be a whole number"],
    [
      "a missing data folder",
      ["train", "split-mnist", "--data", join(folder, "nowhere"), "--out", none],
      "nowhere does not exist",
    ],
    [
      "an unknown device",
      [...trainArgs(none), "--device", "tpu"],
      "'tpu' is invalid. Allowed choices are cpu, cuda, reference.",
    ],
    ["a device that is not there", [...trainArgs(none), "--device", "cuda"], "cuda"],
    [
      "no threads",
      [...trainArgs(none), "--threads", "0"],
      "argument '0' is invalid. It must be a whole number from 1 up.",
    ],
    ["a seed below 0", [...trainArgs(none), "--seed=-1"], "It must be a whole number from 0 up."],
    ["no task", ["export", none, "--task", "two"], "It must be a whole number from 0 up, or all."],
    [
      "a seed that is given twice",
      [...trainArgs(none), "--seed", "1", "--set", "seed=2"],
      "--seed and --set seed=... contradict each other; give one of them",
    ],
    [
      "a folder of images that is given twice",
      [...trainArgs(none), "--set", "data=elsewhere"],
      "--data and --set data=... contradict each other; give one of them",
    ],
    ["seeds backwards", [...trainArgs(none), "--seeds", "3..1"], "It must be A..B with A not above B"],
    ["more tasks than classes", trainArgs(none, { tasks: 5 }), "6 classes"],
    ["an empty --out", ["train", "split-mnist", "--data", data, "--out", ""], "'--out <folder>' argument ''"],
    [
      "an empty --data",
      ["train", "split-mnist", "--data", "", "--out", none],
      "'--data <folder>' argument ''",
    ],
    ["an empty experiment", ["train", ""], "value '' is invalid for argument 'experiment'"],
    ["an empty run to export", ["export", ""], "value '' is invalid for argument 'run'"],
    ["an empty --out of an export", ["export", none, "--out", ""], "'--out <folder>' argument ''"],
    ["an empty --data of an export", ["export", none, "--data", ""], "'--data <folder>' argument ''"],
    ["an empty run to report", ["report", ""], "value '' is invalid for argument 'run'"],
    ["an empty run to verify", ["verify", ""], "value '' is invalid for argument 'run'"],
    ["an empty --data to verify", ["verify", none, "--data", ""], "'--data <folder>' argument ''"],
    ["an empty file", ["inspect", ""], "value '' is invalid for argument 'file'"],
    ["an unknown command", ["trian"], "unknown command 'trian'"],
    ["a file of settings that is not there", ["train", join(folder, "none.yaml")], "there is no file"],
    ["a folder without a run", ["export", data], "is not the folder of a run"],
    ["a report of nothing", ["report", data], "holds neither events.jsonl nor result.json"],
    ["a file that is not there", ["inspect", join(folder, "nothing.onnx")], "does not exist"],
    ["a model that is none", ["inspect", join(data, "classes.txt")], "classes.txt"],
  ])("%s", async (_, args, message) => {
    const { status, stdout, stderr } = await milliner(args, folder);

    expect(status, stderr).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2); // commander puts its suggestion on a second line
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(none)).toBe(false);
  });

  test("an unwritable folder for the run", async () => {
    const file = join(folder, "a file");
    writeFileSync(file, "");

    const { status, stderr } = await milliner(trainArgs(join(file, "run")), folder);

    expect(status).toBe(2);
    expect(stderr).toContain("is a file or lies below one");
  });

  test("labels that are fewer than the images", async () => {
    const wrong = join(folder, "wrong labels");
    await saveFolder(wrong, tinyDataset());
    writeFileSync(
      join(wrong, "t10k-labels-idx1-ubyte"),
      writeIdx({ shape: [119], data: new Uint8Array(119) }),
    );

    const { status, stderr } = await milliner(
      ["train", "split-mnist", "--data", wrong, "--out", none],
      folder,
    );

    expect(status).toBe(2);
    expect(stderr).toContain("has 120 images but");
    expect(stderr).toContain("119 labels");
  });

  test("a run that is there already, or is resumed with other settings", async () => {
    const run = join(folder, "taken");
    const short = { epochs: 1, tasks: 2, controls: "none" };
    await milliner([...trainArgs(run, short), "--quiet"], folder);

    const again = await milliner(trainArgs(run, short), folder);
    const other = await milliner([...trainArgs(run, { ...short, lr: 0.5 }), "--resume"], folder);

    expect([again.status, other.status]).toEqual([2, 2]);
    expect(again.stderr).toMatch(/^error: .* holds a run already; go on with it \(--resume, .*\n$/);
    expect(other.stderr).toContain("was begun with lr 0.2, and a run keeps its settings");
  });

  test("--debug adds the stack trace", async () => {
    const { status, stderr } = await milliner(["inspect", join(folder, "nothing"), "--debug"], folder);

    expect(status).toBe(2);
    expect(stderr).toMatch(/\n\s+at /);
  });
});

describe("with --json a failure is one object on stdout", () => {
  const none = join(folder, "not made either");

  test.each([
    ["train", [...trainArgs(none), "--set", "epcohs=3"], { name: "ConfigError", code: "UNKNOWN_KEY" }],
    ["train, its usage", ["train", "split-mnist", "--epochs", "3"], { name: "UsageError", code: "USAGE" }],
    ["export", ["export", none], { name: "CheckpointError", code: "NOT_A_RUN" }],
    ["verify", ["verify", none], { name: "CheckpointError", code: "NOT_A_RUN" }],
    ["inspect", ["inspect", none], { name: "ConfigError", code: "FILE_MISSING" }],
    ["inspect, without a file", ["inspect"], { name: "UsageError", code: "USAGE" }],
    ["doctor", ["doctor", "--nurse"], { name: "UsageError", code: "USAGE" }],
    ["no command", ["trian"], { name: "UsageError", code: "USAGE" }],
  ])("of %s", async (_, args, error) => {
    const { status, stdout, stderr } = await milliner([...args, "--json"], folder);

    expect(status, stderr).toBe(2);
    const said = JSON.parse(stdout) as { readonly error: { readonly message: string } };
    expect(said).toEqual({ error: { ...error, message: expect.any(String) as string, retry: false } });
    expect(stderr).toContain(said.error.message);
  });

  test("of a loss that is not finite", async () => {
    const args = [...trainArgs(join(folder, "diverged json"), { lr: 1e30, controls: "none" }), "--json"];
    const { status, stdout } = await milliner(args, folder);

    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { name: "NumericError", retry: false } });
  });

  test("of a run in use, a full disk and a download that breaks off, which are right to try again: status 75", async () => {
    const busy = join(folder, "busy");
    const running = start(trainArgs(busy, { tasks: 2, epochs: 4000, controls: "none" }), folder);
    await running.reaches(busy, '"epoch":0,');
    const full = preload(
      folder,
      "full",
      `const files = require("node:fs/promises");
      const { rename } = files;
      files.rename = async (from, to) => {
        if (to.endsWith("run.yaml")) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
        await rename(from, to);
      };
      require("node:module").syncBuiltinESMExports();`,
    );
    const broken = preload(
      folder,
      "broken",
      `globalThis.fetch = async () => new Response(new ReadableStream({
        pull(stream) { stream.error(Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" })); },
      }));`,
    );

    const inUse = await milliner([...trainArgs(busy), "--json"], folder);
    running.child.kill("SIGKILL");
    await running.finished;
    const noSpace = await milliner([...trainArgs(join(folder, "full")), "--json"], folder, full);
    const cut = await milliner(["train", "split-mnist", "--json"], folder, {
      ...broken,
      XDG_CACHE_HOME: join(folder, "cache"),
    });

    expect([inUse, noSpace, cut].map(({ status }) => status)).toEqual([75, 75, 75]);
    expect([inUse, noSpace, cut].map(({ stdout }) => JSON.parse(stdout) as object)).toMatchObject([
      { error: { name: "ConfigError", code: "RUN_LOCKED", retry: true } },
      { error: { name: "CheckpointError", code: "DISK_FULL", retry: true } },
      { error: { name: "DataError", code: "DOWNLOAD_INTERRUPTED", retry: true } },
    ]);
  });
});
