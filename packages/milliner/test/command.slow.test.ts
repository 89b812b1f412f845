import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { saveFolder, writeIdx } from "@milliner/data";
import { inspectModel, loadOnnxRuntime } from "@milliner/onnx";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { milliner, preload, start, type Finished } from "./command-process.ts";
import { tinyDataset, tinyOptions } from "./tiny-dataset.ts";

// With a space, as users' folders have.
const folder = mkdtempSync(join(tmpdir(), "milliner command "));
const data = join(folder, "tiny images");
beforeAll(() => saveFolder(data, tinyDataset()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function trainArgs(out: string, changes: Readonly<Record<string, string | number>> = {}): readonly string[] {
  return ["train", "split-mnist", "--data", data, "--out", out, ...tinyOptions(changes)];
}

/** Accuracy of a model on the test images of its classes, as whoever has the model and the image file alone would serve it. */
async function servedAccuracy(file: string): Promise<number> {
  const model = readFileSync(file);
  const classes = JSON.parse(
    inspectModel(model, file).metadata.get("milliner.classes")!,
  ) as readonly string[];
  const names = readFileSync(join(data, "classes.txt"), "utf8").trim().split("\n");
  const labels = readFileSync(join(data, "t10k-labels-idx1-ubyte")).subarray(8);
  const images = readFileSync(join(data, "t10k-images-idx3-ubyte")).subarray(16);
  const runtime = await loadOnnxRuntime();
  if ("missing" in runtime) throw new Error(runtime.missing);
  const session = await runtime.load(model);
  const wanted = [...labels.keys()].filter((image) => classes.includes(names[labels[image]!]!));
  let right = 0;
  for (const image of wanted) {
    const { data: logits } = await session.run(images.subarray(image * 64, (image + 1) * 64), [1, 8, 8, 1]);
    if (classes[logits.indexOf(Math.max(...logits))] === names[labels[image]!]) right++;
  }
  await session.release();
  return right / wanted.length;
}

describe("a run", () => {
  const run = join(folder, "first run");
  let first: Finished;
  let trained: Record<string, unknown>;
  beforeAll(async () => {
    first = await milliner([...trainArgs(run), "--json"], folder);
    trained = JSON.parse(first.stdout) as Record<string, unknown>;
  });

  test("train --json prints one JSON object with the run's figures beside its controls', and nothing else", () => {
    expect(first.status).toBe(0);
    expect(trained).toMatchObject({
      acc: expect.any(Number) as number,
      bwt: 0,
      forgetting: 0,
      bitExactOldLogits: true,
      bitExactCheckedIn: "fresh-process",
      lockedHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      controls: {
        "random-body": { acc: expect.any(Number) as number },
        sgd: { acc: expect.any(Number) as number },
      },
      seconds: expect.any(Number) as number,
      run,
      warnings: expect.any(Array) as unknown[],
    });
    expect(trained["fwt"]).not.toBeUndefined();
    expect(trained["matrix"]).toHaveLength(3);
    expect(trained["acc"]).toBeGreaterThan(0.8);
    expect(first.stderr).toContain("task 2 (3 of 3)");
  });

  test("run.yaml runs it again with the same bits, whatever the number of threads", async () => {
    const again = join(folder, "again");

    const args = ["train", join(run, "run.yaml"), "--out", again, "--threads", "1", "--quiet", "--json"];
    const { status, stdout, stderr } = await milliner(args, folder);

    expect([status, stderr]).toEqual([0, ""]);
    const { lockedHash, matrix } = JSON.parse(stdout) as Record<string, unknown>;
    expect({ lockedHash, matrix }).toEqual({ lockedHash: trained["lockedHash"], matrix: trained["matrix"] });
  });

  test("whose old logits are not what its checkpoint says prints its figures, and ends with 1", async () => {
    const broken = join(folder, "broken");
    cpSync(run, broken, { recursive: true });
    const path = join(broken, "checkpoints", "task-002.json");
    const checkpoint = JSON.parse(readFileSync(path, "utf8")) as {
      record: { learned: { logitsSha256: string }[] };
    };
    checkpoint.record.learned[1]!.logitsSha256 = "0".repeat(64);
    writeFileSync(path, JSON.stringify(checkpoint));
    rmSync(join(broken, "result.json")); // a run that is done is only printed again

    const args = ["train", "split-mnist", "--out", broken, "--resume", "--quiet", "--json"];
    const { status, stdout, stderr } = await milliner(args, folder);

    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { name: "Failed", code: "PROMISE_BROKEN", retry: false },
      bitExactOldLogits: false,
      warnings: ['"hat" broke its promise: after task 2 test logits of task 1 have changed'],
    });
    expect(stderr).toContain('"hat" changed test logits of earlier tasks');
    expect(await milliner(args, folder)).toMatchObject({ status: 1, stdout }); // done by now, and no better
    const verified = await milliner(["verify", broken, "--json"], folder);
    expect(verified.status).toBe(1);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      bitExactOldLogits: false,
      error: { code: "PROMISE_BROKEN" },
    });
  });

  test("export writes a smaller model per task, each verified on its whole test set", async () => {
    const { status, stdout, stderr } = await milliner(
      ["export", run, "--task", "all", "--verify", "require", "--json"],
      folder,
    );

    expect(status, stderr).toBe(0);
    const { tasks } = JSON.parse(stdout) as { tasks: readonly Record<string, unknown>[] };
    expect(tasks).toHaveLength(3);
    for (const task of tasks) {
      expect(task).toMatchObject({ images: 40, sameArgmax: 40, sameBitsAsMasked: true, ok: true });
      expect(task["bytes"]).toBeLessThan(task["denseBytes"] as number);
    }
    expect(readdirSync(join(run, "onnx")).toSorted()).toEqual([
      "task-0.onnx",
      "task-1.onnx",
      "task-2.onnx",
      "verification.json",
    ]);
    const kept = JSON.parse(readFileSync(join(run, "onnx", "verification.json"), "utf8")) as {
      tasks: unknown;
    };
    expect(kept.tasks).toEqual(tasks);
  });

  test.each([
    ["split-mnist", {}],
    ["permuted-mnist", { tasks: 2, epochs: 12, layers: 1, width: 64, c: 0.1 }],
  ] as const)(
    "a model of %s, given the bytes of the image file, is as accurate as the run says",
    async (preset, changes) => {
      const from = join(folder, `served ${preset}`);
      const args = [
        "train",
        preset,
        "--data",
        data,
        "--out",
        from,
        ...tinyOptions({ ...changes, controls: "none" }),
      ];
      const { matrix } = JSON.parse((await milliner([...args, "--quiet", "--json"], folder)).stdout) as {
        matrix: readonly (readonly number[])[];
      };

      const exported = await milliner(["export", from, "--verify", "require", "--quiet", "--json"], folder);

      expect(exported.status, exported.stderr).toBe(0);
      const { tasks } = JSON.parse(exported.stdout) as {
        tasks: readonly { readonly accuracy: number; readonly runAccuracy: number }[];
      };
      const served = await Promise.all(
        tasks.map((_, task) => servedAccuracy(join(from, "onnx", `task-${task}.onnx`))),
      );
      expect(served).toEqual(matrix.at(-1));
      expect(tasks.map(({ accuracy }) => accuracy)).toEqual(matrix.at(-1));
      expect(tasks.map(({ runAccuracy }) => runAccuracy)).toEqual(matrix.at(-1));
      expect(Math.min(...served)).toBeGreaterThan(0.8);
    },
  );

  test("report writes one file and prints where", async () => {
    const { status, stdout, stderr } = await milliner(["report", run], folder);

    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`${join(run, "report.html")}\n`);
    expect(readFileSync(join(run, "report.html"), "utf8")).toContain("random-body");
  });

  test("inspect knows a run, a model and a file of tensors", async () => {
    const models = join(folder, "models");
    await milliner(["export", run, "--out", models, "--verify", "off", "--quiet"], folder);
    const files = [run, join(models, "task-1.onnx"), join(run, "checkpoints", "task-002.safetensors")];

    const found = await Promise.all(files.map((file) => milliner(["inspect", file], folder)));

    expect(found.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(found[0]!.stdout).toContain("old logits bit-exact: yes");
    expect(found[1]!.stdout).toContain('milliner.classes = ["c","d"]');
    expect(found[2]!.stdout).toContain("fc1.weight");
  });

  test("several seeds give a run folder each, their mean and their deviation", async () => {
    const out = join(folder, "seeds");

    const args = [
      ...trainArgs(out, { epochs: 1, tasks: 2, controls: "none" }),
      "--seeds",
      "3..4",
      "--json",
      "--quiet",
    ];
    const { status, stdout, stderr } = await milliner(args, folder);

    expect(status, stderr).toBe(0);
    const { seeds, mean, std } = JSON.parse(stdout) as {
      seeds: readonly { acc: number; run: string }[];
      mean: { acc: number };
      std: { acc: number };
    };
    expect(seeds.map((each) => each.run)).toEqual([join(out, "seed-3"), join(out, "seed-4")]);
    expect(mean.acc).toBeCloseTo((seeds[0]!.acc + seeds[1]!.acc) / 2, 12);
    expect(std.acc).toBeCloseTo(Math.abs(seeds[0]!.acc - seeds[1]!.acc) / Math.SQRT2, 12);
  });

  test("a seed that fails does not end the others: it is named, the rest is told, with mean and count, and the status is its own", async () => {
    const out = join(folder, "seeds that fail");
    mkdirSync(out);
    writeFileSync(join(out, "seed-1"), "in the way");
    const args = [...trainArgs(out, { epochs: 1, tasks: 2, controls: "none" }), "--seeds", "0..2", "--quiet"];

    const json = await milliner([...args, "--json"], folder);
    const table = await milliner([...args, "--resume"], folder);

    const { seeds, failed, count, mean, error } = JSON.parse(json.stdout) as {
      seeds: readonly { seed: number; acc: number }[];
      failed: readonly { seed: number; error: { code: string } }[];
      count: number;
      mean: { acc: number };
      error: { code: string; message: string };
    };
    expect([json.status, table.status]).toEqual([2, 2]);
    expect(seeds.map(({ seed }) => seed)).toEqual([0, 2]);
    expect(failed).toEqual([{ seed: 1, error: expect.objectContaining({ code: "WRITE_FAILED" }) as object }]);
    expect(count).toBe(2);
    expect(mean.acc).toBeCloseTo((seeds[0]!.acc + seeds[1]!.acc) / 2, 12);
    expect(error.code).toBe("SEEDS_FAILED");
    expect(error.message).toMatch(/^1 of 3 seeds failed: seed 1: .*seed-1/);
    expect(table.stdout).toMatch(/, 2 of 3 seeds, 2 tasks: mean accuracy at the end\n/);
    expect(table.stdout).toMatch(/^seed 0 .*\nseed 1 +failed\nseed 2 /m);
    expect(table.stderr).toContain("error: 1 of 3 seeds failed: seed 1: ");
  });

  test("a table for people has every accuracy beside those of the controls", async () => {
    const { status, stdout } = await milliner(trainArgs(join(folder, "table"), { epochs: 1 }), folder);

    expect(status).toBe(0);
    expect(stdout).toMatch(/^accuracy +hat +random-body +sgd$/m);
    expect(stdout).toMatch(/^mean +[\d.]+ % +[\d.]+ % +[\d.]+ %$/m);
    expect(stdout).toContain("every task kept its test logits, bit for bit (checked in a fresh process");
  });
});

describe("an interruption", () => {
  // Long enough to be met in its first epochs on any machine.
  const long = { tasks: 2, epochs: 400, patience: 400, lr: 0.01, controls: "none" };

  test("ends with 130 and a line that says how to resume; resumed, the run has the bits of one that was not", async () => {
    const run = join(folder, "interrupted");
    const running = start(trainArgs(run, long), folder);
    await running.reaches(run, '"epoch":1,');

    const intruder = await milliner(trainArgs(run, long), folder);
    running.child.kill("SIGINT");
    const interrupted = await running.finished;
    const resumed = await milliner(
      ["train", "split-mnist", "--out", run, "--resume", "--quiet", "--json"],
      folder,
    );
    const whole = await milliner([...trainArgs(join(folder, "whole"), long), "--quiet", "--json"], folder);

    expect(intruder.status).toBe(75);
    expect(intruder.stderr).toMatch(/^error: .* is in use by process/);
    expect(interrupted.status).toBe(130);
    expect(interrupted.stdout).toBe("");
    const sameCommand = ["milliner", ...trainArgs(run, long), "--resume"].map((word) =>
      word.includes(" ") ? `'${word}'` : word,
    );
    expect(interrupted.stderr).toContain(`interrupted; to go on: ${sameCommand.join(" ")}\n`);
    expect(interrupted.stderr).not.toContain("error");
    expect(readdirSync(join(run, "checkpoints")).some((name) => name.endsWith(".json"))).toBe(true);
    expect(resumed.status, resumed.stderr).toBe(0);
    const [a, b] = [resumed, whole].map(({ stdout }) => JSON.parse(stdout) as Record<string, unknown>);
    expect(a!["lockedHash"]).toBe(b!["lockedHash"]);
    expect(a!["matrix"]).toEqual(b!["matrix"]);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "by %s, several at once too, ends with %i, the last line, a checkpoint, and without the lock",
    async (signal, expected) => {
      const run = join(folder, `ended by ${signal}`);
      const byNpm = { npm_config_user_agent: "npm/11.6.2 node/v24.11.0 linux x64" };
      const running = start([...trainArgs(run, long), "--json"], folder, byNpm);
      await running.reaches(run, '"epoch":1,');

      for (let i = 0; i < 5; i++) {
        running.child.kill(signal);
        await setTimeout(10);
      }
      const { status, stdout, stderr } = await running.finished;

      expect(status).toBe(expected);
      expect(stderr).toMatch(/interrupted; to go on: npx milliner train .* --resume\n$/);
      expect(JSON.parse(stdout)).toEqual({
        error: { name: "Interrupted", code: signal, message: `interrupted by ${signal}`, retry: false },
      });
      expect(readdirSync(run)).not.toContain("run.lock");
      expect(readdirSync(join(run, "checkpoints")).some((name) => name.endsWith(".json"))).toBe(true);
    },
  );

  test("again, later, does not wait for a disk that hangs, and still leaves no lock", async () => {
    const run = join(folder, "hanging");
    const hang = preload(
      folder,
      "hang",
      `const files = require("node:fs/promises");
      let isHanging = false;
      process.on("SIGTERM", () => { isHanging = true; });
      const { rename } = files;
      files.rename = (...args) =>
        isHanging ? new Promise(() => setInterval(() => {}, 1000)) : rename(...args);
      require("node:module").syncBuiltinESMExports();`,
    );
    const running = start(trainArgs(run, long), folder, hang);
    await running.reaches(run, '"epoch":1,');

    let ended: Finished | null = null;
    void running.finished.then((end) => (ended = end));
    while (ended === null) {
      running.child.kill("SIGTERM");
      await Promise.race([running.finished, setTimeout(1500)]);
    }
    const { status, stderr } = await running.finished;

    expect(status).toBe(143);
    expect(stderr).toMatch(/interrupted; to go on: milliner train .* --resume\n$/);
    expect(readdirSync(run)).not.toContain("run.lock");
  });

  test("a reader that goes away is no failure", async () => {
    const running = start([...trainArgs(join(folder, "no reader"), { epochs: 1 }), "--json"], folder);
    running.child.stdout!.destroy();

    const { status, stderr } = await running.finished;

    expect(status, stderr).toBe(0);
    expect(stderr).not.toContain("EPIPE");
  });
});

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

describe("other ends", () => {
  test("labels that count from 1 are taken, and what was left out is said on stderr and in the JSON", async () => {
    const letters = join(folder, "letters");
    const { train, test: tested, classes } = tinyDataset();
    const named = ["none", ...classes];
    const shifted = (set: typeof train): typeof train => ({
      ...set,
      labels: set.labels.map((label) => label + 1),
      classes: named,
    });
    await saveFolder(letters, {
      name: "letters",
      train: shifted(train),
      test: shifted(tested),
      classes: named,
      warnings: [],
    });
    const run = join(folder, "letters run");

    const { status, stdout, stderr } = await milliner(
      [
        "train",
        "split-mnist",
        "--data",
        letters,
        "--out",
        run,
        ...tinyOptions({ epochs: 1, controls: "none" }),
        "--json",
      ],
      folder,
    );

    expect(status, stderr).toBe(0);
    const warning = 'no training images of the class "none": it is left out.';
    expect(stderr).toContain(warning);
    const { tasks, warnings } = JSON.parse(stdout) as { tasks: string[]; warnings: string[] };
    expect(tasks).toEqual(["a, b", "c, d", "e, f"]);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  test.skipIf(process.platform === "win32").each([
    ["cannot be spawned", 'if (process.argv[2] === "train") process.execPath = "/nowhere/node";', "ENOENT"],
    ["is killed before its first word", 'if (process.argv[2] === "verify") process.abort();', "SIGABRT"],
  ])(
    "where the fresh process %s, the checkpoint has been checked, and one warning says why",
    async (how, program, reason) => {
      const run = join(folder, how);
      const variables = preload(folder, how, program);

      const { status, stdout, stderr } = await milliner(
        [...trainArgs(run, { epochs: 1, tasks: 2, controls: "none" }), "--quiet", "--json"],
        folder,
        variables,
      );

      expect(status, stderr).toBe(0);
      const sentence = `no fresh process could be started to check ${run} (${reason})`;
      expect(JSON.parse(stdout)).toMatchObject({
        bitExactCheckedIn: "checkpoint",
        bitExactOldLogits: true,
        warnings: [expect.stringContaining(sentence)],
      });
      expect(JSON.parse(readFileSync(join(run, "result.json"), "utf8"))).toMatchObject({
        bitExactCheckedIn: "checkpoint",
        warnings: [expect.stringContaining(sentence)],
      });
    },
  );

  test("a loss that is not finite ends with 1 and names the place", async () => {
    const { status, stderr } = await milliner(
      [...trainArgs(join(folder, "diverged"), { lr: 1e30, controls: "none" }), "--quiet"],
      folder,
    );

    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*task 0.*\n$/);
  });

  test("a second try after a run that came to nothing has its own settings in run.yaml", async () => {
    const run = join(folder, "second try");
    const short = { epochs: 1, tasks: 2, controls: "none" };
    mkdirSync(run);
    writeFileSync(join(run, "run.yaml"), "lr: 1e+30\n"); // killed before its first checkpoint

    const { status, stderr } = await milliner([...trainArgs(run, short), "--quiet"], folder);

    expect(status, stderr).toBe(0);
    expect(readFileSync(join(run, "run.yaml"), "utf8")).toMatch(/^lr: 0.2$/m);
  });

  test("other images than those of the run are refused, to go on with as to export and to verify", async () => {
    const run = join(folder, "own images");
    const other = join(folder, "other images");
    const inverted = tinyDataset();
    for (const { images } of [inverted.train, inverted.test])
      images.forEach((byte, i) => (images[i] = 255 - byte));
    await saveFolder(other, inverted);
    await milliner([...trainArgs(run, { epochs: 1, tasks: 2, controls: "none" }), "--quiet"], folder);

    const resumed = await milliner(
      ["train", "split-mnist", "--data", other, "--out", run, "--resume"],
      folder,
    );
    const exported = await milliner(["export", run, "--data", other], folder);
    const verified = await milliner(["verify", run, "--data", other], folder);

    for (const { status, stderr } of [resumed, exported, verified]) {
      expect(status).toBe(2);
      expect(stderr).toContain(
        `error: ${other} does not hold the images that the run was trained on (tiny images, from ${data})`,
      );
    }
  });

  test.each([
    ["MILLINER_ISA", 'MILLINER_ISA is "nonsense", which this machine does not run'],
    ["MILLINER_THREADS", 'MILLINER_THREADS is "nonsense", and must be a whole number from 1 to 1024'],
    ["MILLINER_BF16", 'MILLINER_BF16 is "nonsense", and must be "emulated" or "off"'],
  ])("%s=nonsense ends train and doctor alike, doctor behind what it found", async (name, sentence) => {
    const variables = { [name]: "nonsense" };
    const trained = await milliner(trainArgs(join(folder, name)), folder, variables);
    const examined = await milliner(["doctor"], folder, variables);
    const asJson = await milliner(["doctor", "--json"], folder, variables);

    for (const { status, stderr } of [trained, examined]) {
      expect(status).toBe(2);
      expect(stderr).toContain(`error: ${sentence}`);
    }
    expect(examined.stdout).toContain(process.version);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      versions: { node: process.version },
      error: { code: "BAD_ENVIRONMENT", message: expect.stringContaining(sentence) as string, retry: false },
    });
    expect(examined.stdout).toContain(`none: ${sentence}`);
  });

  test("the slow reference standing in is a warning in the JSON too", async () => {
    const { status, stdout } = await milliner(
      [
        ...trainArgs(join(folder, "fallback"), { epochs: 1, tasks: 2, controls: "none" }),
        "--quiet",
        "--json",
      ],
      folder,
      { MILLINER_NATIVE: join(folder, "no.node") },
    );

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      device: "reference",
      warnings: [expect.stringContaining("slow TypeScript reference")],
    });
  });

  test("doctor says what computes and why, and ends with 0, also without kernels", async () => {
    const found = await milliner(["doctor", "--json"], folder);
    const scalar = await milliner(["doctor", "--json"], folder, { MILLINER_ISA: "scalar" });
    const without = await milliner(["doctor"], folder, { MILLINER_NATIVE: join(folder, "no.node") });

    expect([found.status, scalar.status, without.status]).toEqual([0, 0, 0]);
    expect(JSON.parse(found.stdout)).toMatchObject({
      kernels: { available: true },
      versions: { node: process.version },
    });
    expect(JSON.parse(scalar.stdout)).toMatchObject({ kernels: { isa: "scalar" } });
    expect(without.stdout).toContain("MILLINER_NATIVE names");
  });

  test.runIf(process.platform === "linux")("doctor says how many threads the system refused", async () => {
    const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));
    // Room for about a dozen stacks of 1 GiB, also for root.
    const shell = 'ulimit -s 1048576; ulimit -v 20000000; exec "$0" "$@"';

    const text = execFileSync("sh", ["-c", shell, process.execPath, command, "doctor"], {
      env: { ...process.env, MILLINER_THREADS: "100" },
      encoding: "utf8",
    });

    expect(text).toMatch(/^threads +\d+ of 100: the system starts no more/m);
  });

  test("presets are listed, and one is printed as YAML", async () => {
    const list = await milliner(["presets"], folder);
    const one = await milliner(["presets", "permuted-mnist"], folder);

    expect(list.stdout).toContain("split-fashion-mnist");
    expect(one.stdout).toMatch(/^name: permuted-mnist$/m);
    expect(one.stdout).toMatch(/^width: 1000$/m);
  });

  test("without a place a run goes to runs/, numbered where one is there", async () => {
    const home = join(folder, "home");
    mkdirSync(home);
    const args = [
      "train",
      "split-mnist",
      "--data",
      data,
      ...tinyOptions({ epochs: 1, tasks: 2, controls: "none" }),
      "--quiet",
    ];

    await milliner(args, home);
    await milliner(args, home);

    expect(readdirSync(join(home, "runs")).toSorted()).toEqual([
      "split-mnist-seed-0",
      "split-mnist-seed-0-2",
    ]);
  });
});
