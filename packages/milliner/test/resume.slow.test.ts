import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Stream } from "@milliner/core";
import { pidNamespace, saveFolder } from "@milliner/data";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { milliner, start, type Finished, type Running } from "./command-process.ts";
import { tinyDataset, tinyOptions } from "./tiny-dataset.ts";

// As the names of files that are being written have it.
const machine = createHash("sha256").update(`${hostname()}\n${pidNamespace()}`).digest("hex").slice(0, 8);
const folder = mkdtempSync(join(tmpdir(), "milliner-resume-"));
const data = join(folder, "images");
const short = { epochs: 4, tasks: 2, controls: "sgd" };

/** The one command: it begins, goes on, or prints. */
function command(run: string, changes: Readonly<Record<string, string | number>> = {}): readonly string[] {
  const settings = tinyOptions({ ...short, ...changes });
  return ["train", "split-mnist", "--data", data, "--out", run, ...settings, "--resume", "--json"];
}

/** What has to be the same to the bit. */
function bits({ status, stdout, stderr }: Finished): unknown {
  expect(status, stderr).toBe(0);
  const { lockedHash, matrix, bitExactOldLogits, controls } = JSON.parse(stdout) as Record<string, unknown>;
  const { sgd } = controls as { readonly sgd: { readonly matrix: unknown } };
  return { lockedHash, matrix, bitExactOldLogits, sgd: sgd.matrix };
}

let whole: Finished;
let expected: unknown;
let events = 0;
beforeAll(async () => {
  await saveFolder(data, tinyDataset());
  whole = await milliner(command(join(folder, "whole")), folder);
  events = readFileSync(join(folder, "whole", "events.jsonl"), "utf8").split("\n").length - 1;
  expected = bits(whole);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("killed at random moments, before run.yaml is written too, the same command ends with the same bits", async ({
  task,
}) => {
  const seed = 20261130;
  const runs = 4 * inject("soak");
  task.meta.draws = 2 * runs;
  const draws = new Stream(seed, "kills").uniform(2 * runs, 0, 1);
  const killed = async (running: Running): Promise<unknown> => {
    running.child.kill("SIGKILL");
    return (await running.finished).status;
  };
  for (let number = 0; number < runs; number++) {
    const run = join(folder, `killed-${number}`);
    const [early, late] = draws.subarray(2 * number, 2 * number + 2) as unknown as readonly [number, number];
    const told = `seed ${seed}, run ${number}`;
    // First as soon as there is a process, or a moment later: before run.yaml, or while it is written.
    const first = start(command(run), folder);
    await once(first.child, "spawn");
    if (number % 2 === 1) await setTimeout(early * 1000);
    const status = await killed(first);
    if (number % 2 === 0) {
      expect(status, told).toBe("SIGKILL");
      expect(existsSync(join(run, "run.yaml")), told).toBe(false);
    }
    // Then within the run, at an event.
    const second = start(command(run), folder);
    await second.reaches(run, `"step":${Math.floor(late * 0.9 * events)},`);
    await killed(second);

    expect(bits(await milliner(command(run), folder)), told).toEqual(expected);
    const left = readdirSync(run).filter((name) => name.includes("lock") || name.endsWith(".part"));
    expect(left, told).toEqual([]);
  }
});

test.each([
  ["is empty", {}],
  ["has the lock of a dead process", { "run.lock": { pid: 4_194_305, started: "x/1" } }],
  [
    "has what a dead process wrote half",
    { "run.lock.0-0.part": "{", [`.run.yaml.${machine}-4194305-0.part`]: "name: spl" },
  ],
  ["has events and nothing that they belong to", { "events.jsonl": '{"step":0' }],
])("a folder that %s is begun in", async (title, files: Readonly<Record<string, unknown>>) => {
  const run = join(folder, title);
  mkdirSync(run);
  for (const [name, content] of Object.entries(files)) {
    const text =
      typeof content === "string" ? content : JSON.stringify({ ...(content as object), host: hostname() });
    writeFileSync(join(run, name), text);
  }

  expect(bits(await milliner(command(run), folder))).toEqual(expected);
  expect(readdirSync(run).toSorted()).toEqual(["checkpoints", "events.jsonl", "result.json", "run.yaml"]);
});

test("a run that is done is printed again as it was, without its images, and a line says so", async () => {
  const run = join(folder, "whole");
  const before = readFileSync(join(run, "events.jsonl"), "utf8");

  renameSync(data, `${data} elsewhere`);
  const again = await milliner(command(run), folder);
  renameSync(`${data} elsewhere`, data);

  expect([again.status, again.stdout]).toEqual([0, whole.stdout]);
  expect(again.stderr).toBe(`${run} was done already; this is its result\n`);
  expect(readFileSync(join(run, "events.jsonl"), "utf8")).toBe(before);
});

test("what was said before the run began is said again", async () => {
  const without = { MILLINER_NATIVE: join(folder, "no.node") };
  const args = command(join(folder, "slow reference"), { epochs: 1, controls: "none" });

  const first = await milliner(args, folder, without);
  const again = await milliner(args, folder);

  expect(first.stdout).toContain("slow TypeScript reference");
  expect(again).toMatchObject({ status: 0, stdout: first.stdout });
});

test("a result that cannot be read is written anew", async () => {
  const run = join(folder, "whole");
  writeFileSync(join(run, "result.json"), '{"format": "milliner-re');

  expect(bits(await milliner(command(run), folder))).toEqual(expected);
});

test("a folder with another run is refused, and the sentence names what differs", async () => {
  const run = join(folder, "other");
  await milliner(command(run), folder);

  const other = await milliner(command(run, { lr: 0.5 }), folder);
  const file = join(folder, "split-mnist.yaml");
  writeFileSync(file, "preset: split-mnist\nwidth: 48\n");
  const ofFile = await milliner(["train", file, "--out", run, "--resume"], folder);
  rmSync(join(run, "run.yaml"));
  const nameless = await milliner(command(run), folder);

  expect([other.status, ofFile.status, nameless.status]).toEqual([2, 2, 2]);
  expect(other.stderr).toContain("was begun with lr 0.2, and a run keeps its settings; leave lr out");
  expect(ofFile.stderr).toContain("was begun with width 32");
  expect(nameless.stderr).toContain("has checkpoints and no run.yaml");
});

test("several seeds go on where each of them is", async () => {
  const out = join(folder, "seeds");
  const args = [
    "train",
    "split-mnist",
    "--data",
    data,
    "--out",
    out,
    ...tinyOptions({ ...short, epochs: 1 }),
  ];
  await milliner(
    [...args, "--seed", "1", "--quiet"].map((word) => (word === out ? join(out, "seed-1") : word)),
    folder,
  );

  const { status, stdout, stderr } = await milliner(
    [...args, "--seeds", "1..2", "--resume", "--json"],
    folder,
  );

  expect(status, stderr).toBe(0);
  expect((JSON.parse(stdout) as { readonly seeds: readonly unknown[] }).seeds).toHaveLength(2);
  expect(stderr).toContain(`${join(out, "seed-1")} was done already`);
});
