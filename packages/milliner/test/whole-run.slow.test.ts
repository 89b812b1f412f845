// A run from train to its report, by the command as it is shipped.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspectModel, loadOnnxRuntime } from "@milliner/onnx";
import { beforeAll, describe, expect, test } from "vitest";
import { commandFolder } from "./command-folder.ts";
import { milliner, type Finished } from "./command-process.ts";
import { tinyOptions } from "./tiny-dataset.ts";

const { folder, data, trainArgs } = commandFolder();

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

  test("a seed that fails does not end the others: it is named, the rest is told, with mean and count, and the status is 1", async () => {
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
    expect([json.status, table.status]).toEqual([1, 1]);
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
