import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import {
  CheckpointError,
  flatten,
  linear,
  MillinerError,
  network,
  relu,
  selectBackend,
  Stream,
  writeSafetensors,
} from "@milliner/core";
import { SgdLearner } from "@milliner/continual/baselines";
import { readCheckpoint, readerOf } from "../checkpoint.ts";
import { run } from "../run.ts";
import { syntheticScenario } from "../testing/synthetic-scenario.ts";

const backend = selectBackend("reference");
const scenario = syntheticScenario({ imagesPerClass: 8 });
const schedule = { epochs: 1, batchSize: 8, lr: 0.1, lrFactor: 3, lrPatience: 1, lrMin: 1e-4 };
const body = network([4, 4, 1], flatten(), linear(4), relu());
const make = (): SgdLearner => new SgdLearner({ body, backend, seed: 1, schedule });

let folder = "";
let json = "";
let arrays = "";
/** A run of which one task is learned, written by the runner itself. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-hostile-"));
  json = join(folder, "checkpoints", "task-002.json");
  arrays = json.replace(".json", ".safetensors");
  const learner = make();
  await run(scenario, learner, { seed: 1, backend, folder });
  learner.dispose();
  for (const task of ["task-000", "task-001"])
    for (const end of ["json", "safetensors"])
      await rm(join(folder, "checkpoints", `${task}.${end}`), { force: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Json = Record<string, unknown>;

async function lie(change: (header: Json & { arrays: Json; record: Json; values: Json }) => void) {
  const header = JSON.parse(await readFile(json, "utf8"));
  change(header);
  await writeFile(json, JSON.stringify(header));
}

/** Other arrays, with a header that describes them truly: what is left to check is what they say. */
async function replaceArrays(bytes: Uint8Array): Promise<void> {
  await writeFile(arrays, bytes);
  await lie((header) => {
    header.arrays.bytes = bytes.length;
    header.arrays.sha256 = createHash("sha256").update(bytes).digest("hex");
  });
}

/** Reading, loading and resuming what lies there; the run as it was is given back on success. */
async function resume(): Promise<void> {
  const learner = make();
  try {
    await run(scenario, learner, { seed: 1, backend, folder, resume: true });
  } finally {
    learner.dispose();
  }
}

test("an honest checkpoint is resumed", async () => {
  await expect(resume()).resolves.toBeUndefined();
});

describe("a damaged file is refused by its name", () => {
  test("arrays cut off", async () => {
    await truncate(arrays, 100);

    await expect(resume()).rejects.toMatchObject({
      name: "CheckpointError",
      code: "DAMAGED",
      message: expect.stringContaining(arrays),
    });
  });

  test("one bit of the arrays turned", async () => {
    const bytes = await readFile(arrays);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(arrays, bytes);

    await expect(resume()).rejects.toMatchObject({ code: "DAMAGED" });
  });

  test("arrays longer than promised are not read", async () => {
    await writeFile(arrays, Buffer.concat([await readFile(arrays), Buffer.alloc(1)]));

    await expect(resume()).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining(arrays),
    });
  });

  test("arrays missing", async () => {
    await rm(arrays);

    await expect(resume()).rejects.toMatchObject({
      code: "READ_FAILED",
      message: expect.stringContaining("does not exist"),
    });
  });

  test("JSON cut off", async () => {
    await truncate(json, 100);

    await expect(resume()).rejects.toMatchObject({ code: "DAMAGED", message: expect.stringContaining(json) });
  });

  test.each(["", "[]", "null", "7", '"checkpoint"', "{}"])("JSON that is %j", async (text) => {
    await writeFile(json, text);

    await expect(resume()).rejects.toBeInstanceOf(CheckpointError);
  });

  test.skipIf(process.platform === "win32")("a pipe or a device in its place, without waiting", async () => {
    await rm(arrays);
    execFileSync("mkfifo", [arrays]);
    await expect(resume()).rejects.toMatchObject({ code: "READ_FAILED" });

    await rm(arrays);
    await symlink("/dev/zero", arrays);
    await expect(resume()).rejects.toMatchObject({ code: "READ_FAILED" });
  });
});

describe("JSON that lies", () => {
  test.each([
    "../task-002.safetensors",
    "/etc/passwd",
    "task-001.safetensors",
    "..",
    "",
    "task-002.safetensors\u0000",
  ])("naming %j as its arrays is refused before anything is opened", async (file) => {
    await lie((header) => {
      header.arrays.file = file;
    });

    await expect(resume()).rejects.toMatchObject({
      code: "BAD_VALUE",
      message: expect.stringContaining("instead of its neighbour"),
    });
  });

  test.each([0, 2, 1e300, -1, "1", null])("version %j is refused", async (version) => {
    await lie((header) => {
      header.version = version;
    });

    await expect(resume()).rejects.toMatchObject({ code: expect.stringMatching(/^BAD_(VERSION|VALUE)$/) });
  });

  test("a file of another format is refused for that, whatever else it says", async () => {
    await lie((header) => {
      header.format = "another-checkpoint";
    });

    await expect(resume()).rejects.toMatchObject({
      code: "BAD_VALUE",
      message: `${json} is not a checkpoint of milliner`,
    });
  });

  test("the version that is wrong is named, and what this program reads", async () => {
    await lie((header) => {
      header.version = 2;
    });

    await expect(resume()).rejects.toMatchObject({
      code: "BAD_VERSION",
      message: expect.stringMatching(/version 2, this program reads 1/),
    });
  });

  test.each([
    ["scenario", "split-mnist"],
    ["seed", 2],
    ["learner", "hat"],
    ["tasks", 5],
  ])("another %s is refused, and both are named", async (key, value) => {
    await lie((header) => {
      header.record[key] = value;
    });

    await expect(resume()).rejects.toMatchObject({
      code: "OTHER_RUN",
      message: expect.stringContaining(`${key} ${JSON.stringify(value)}`),
    });
  });

  test.each<[string, (record: Json) => void]>([
    ["one task fewer learned", (record) => (record.learned as unknown[]).pop()],
    ["one row fewer", (record) => (record.matrix as unknown[]).pop()],
    ["a row too short", (record) => (record.matrix as unknown[][])[1]!.pop()],
    ["no accuracy on a learned task", (record) => ((record.matrix as unknown[][])[2]![0] = null)],
    ["no initial accuracies", (record) => (record.initial = [])],
    ["a text for an accuracy", (record) => ((record.matrix as unknown[][])[0]![0] = "1")],
    [
      "more tasks learned than there are, each with its row",
      (record) => {
        (record.learned as unknown[]).push((record.learned as unknown[])[0]);
        (record.matrix as unknown[]).push((record.matrix as unknown[])[2]);
      },
    ],
    ["an accuracy above 1", (record) => ((record.matrix as unknown[][])[0]![0] = 1.5)],
    ["a task learned to less than nothing", (record) => ((record.learned as Json[])[0]!.accuracy = -0.1)],
    ["a negative position", (record) => ((record.events as Json).bytes = -1)],
    ["half a step", (record) => ((record.events as Json).step = 0.5)],
    ["notes that are no numbers", (record) => ((record.learned as Json[])[0]!.notes = { a: "b" })],
    ["no record of events", (record) => delete record.events],
  ])("a record with %s is refused", async (_, change) => {
    await lie(({ record }) => change(record));

    await expect(resume()).rejects.toMatchObject({ name: "CheckpointError", code: "BAD_VALUE" });
  });

  /** Puts `text` where JSON.stringify cannot: as the value of a field. */
  async function lieInText(part: "record" | "values" | null, key: string, text: string): Promise<void> {
    await lie((header) => {
      const fields: Json = part === null ? header : header[part];
      fields[key] = "here";
    });
    await writeFile(
      json,
      (await readFile(json, "utf8")).replace(`"${key}":"here"`, () => `"${key}":${text}`),
    );
  }

  test.each([
    ["record", "seed"],
    ["record", "matrix"],
    ["values", "body"],
    ["values", "fit"],
    [null, "format"],
    [null, "more"],
  ] as const)("200,000 lists in lists in its %s (%s) do not overflow the stack", async (part, key) => {
    await lieInText(part, key, "[".repeat(200_000) + "]".repeat(200_000));

    await expect(resume()).rejects.toMatchObject({
      name: "CheckpointError",
      code: "BAD_VALUE",
      message: expect.stringContaining(`${json} is nested deeper than 256 levels`),
    });
  });

  test.each(["began", "taskBegan"])(
    "1e999 seconds as its %s are refused: they would be Infinity",
    async (key) => {
      await lieInText("record", key, "1e999");

      await expect(resume()).rejects.toMatchObject({
        code: "BAD_VALUE",
        message: expect.stringContaining("should be a finite number, not Infinity"),
      });
    },
  );

  test("a name of a million letters with a terminal's escapes is told briefly and harmlessly", async () => {
    await lie(({ record }) => (record.scenario = `\u001b[2J${"x".repeat(1e6)}`));
    const error = await resume().catch((caught: unknown) => caught as Error);

    expect(error).toMatchObject({ code: "OTHER_RUN" });
    expect((error as Error).message.length).toBeLessThan(json.length + 300);
    expect((error as Error).message).not.toContain("\u001b");
  });

  test("a task beyond the scenario is refused, not learned, also when its record has as many", async () => {
    await lie(({ record }) => {
      const [learned, matrix] = [record.learned as unknown[], record.matrix as unknown[]];
      for (const list of [learned, matrix]) while (list.length < 8) list.push(list[2]);
    });
    await writeFile(json.replace("002", "007"), await readFile(json));
    await writeFile(arrays.replace("002", "007"), await readFile(arrays));
    await rm(json);
    await writeFile(
      json.replace("002", "007"),
      (await readFile(json.replace("002", "007"), "utf8")).replace("task-002.saf", "task-007.saf"),
    );

    await expect(resume()).rejects.toMatchObject({ code: "BAD_VALUE" });
  });

  test.each<[string, (values: Json) => void]>([
    ["heads of 10^15 classes", (values) => (values.heads = [[0, 1e15]])],
    ["a head twice", (values) => (values.heads = [0, 0].map((task) => [task, 2]))],
    ["heads that are no list", (values) => (values.heads = { 0: 2 })],
    ["another body", (values) => (values.body = {})],
    ["no body", (values) => delete values.body],
    ["steps that are a text", (values) => (values.training = { steps: "1" })],
    ["a state of training that is none", (values) => (values.fit = [])],
    ["best values that are missing", (values) => (values.fit = { ...fitState, best: ["no such"] })],
  ])("values with %s are refused, and the learner stays as it was", async (_, change) => {
    await lie(({ values }) => change(values));
    const learner = make();
    const stored = await readCheckpoint(json);

    await expect(learner.load(readerOf(stored.snapshot, json))).rejects.toBeInstanceOf(MillinerError);

    await expect(learner.learn(scenario.tasks[0]!, quiet)).resolves.toMatchObject({ epochs: 1 });
    learner.dispose();
  });
});

test("arrays of a type that no checkpoint holds are refused by name", async () => {
  await replaceArrays(
    writeSafetensors(new Map([["w", { dtype: "I64", shape: [1], data: BigInt64Array.of(1n) }]])),
  );

  await expect(readCheckpoint(json)).rejects.toMatchObject({
    code: "BAD_VALUE",
    message: expect.stringContaining('"w"'),
  });
});

test("arrays of another type or shape than the network's are refused", async () => {
  const stored = await readCheckpoint(json);
  for (const other of [
    { dtype: "F64", shape: [4, 16], data: new Float64Array(64) } as const,
    { dtype: "F32", shape: [16, 4], data: new Float32Array(64) } as const,
  ]) {
    const tensors = new Map(
      [...stored.snapshot.arrays].map(([name, { shape, data }]) => [
        name,
        shape.join() === "4,16" ? other : { dtype: "F32" as const, shape, data: data as Float32Array },
      ]),
    );
    await replaceArrays(writeSafetensors(tensors));

    await expect(resume()).rejects.toMatchObject({ code: "DOES_NOT_FIT" });
  }
});

test("of mutations of the JSON, each is refused with a CheckpointError or changes no loaded bit", async ({
  task,
}) => {
  const mutations = 300 * inject("soak");
  task.meta.draws = mutations;
  const seed = 20261121;
  const honest = await readFile(json);
  const expected = (await readCheckpoint(json)).snapshot.arrays;
  const draws = new Stream(seed, "mutations").uniform(3 * mutations, 0, 1);
  for (let i = 0; i < mutations; i++) {
    const bytes = Buffer.from(honest);
    bytes[Math.floor(draws[3 * i]! * bytes.length)] = Math.floor(draws[3 * i + 1]! * 256);
    const cut = draws[3 * i + 2]! < 0.2;
    await writeFile(json, cut ? bytes.subarray(0, Math.floor(draws[3 * i]! * bytes.length)) : bytes);
    try {
      expect((await readCheckpoint(json)).snapshot.arrays, `seed ${seed}, mutation ${i}`).toEqual(expected);
    } catch (error) {
      expect(error, `seed ${seed}, mutation ${i}`).toBeInstanceOf(CheckpointError);
    }
  }
});

const fitState = { task: 0, epoch: 1, step: 1, lr: 0.1, patience: 1, bestLoss: null };

const quiet = {
  seed: 1,
  signal: new AbortController().signal,
  events: () => undefined,
  pause: async () => undefined,
  checkpoint: async () => undefined,
};
