import { appendFile, mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventLog, firstPosition, type EventPosition } from "./event-log.ts";
import type { RunEvent, RunEventBody } from "./events.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-events-"));
  path = join(folder, "events.jsonl");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const heard: RunEvent[] = [];
beforeEach(() => void (heard.length = 0));
let now = 0;

function open(position: EventPosition = firstPosition, file: string | null = path): EventLog {
  return new EventLog({ path: file, position, clock: () => now, listener: (event) => heard.push(event) });
}
const warning = (message: string): RunEventBody => ({ type: "warning", message });
const progress: RunEventBody = { type: "progress", task: 0, epoch: 0, epochs: 1, fraction: 0.5 };
const lines = async (): Promise<RunEvent[]> =>
  (await readFile(path, "utf8"))
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent);

test("events are lines in their order, with steps from 0 and the seconds since the start", async () => {
  now = 100;
  const log = open();
  for (let i = 0; i < 5; i++) {
    log.emit("hat", warning(`number ${i}, "quoted"\nand of two lines`));
    now += 0.5;
  }
  log.close();

  const written = await lines();
  expect(written.map(({ step, time, learner }) => [step, time, learner])).toEqual([
    [0, 0, "hat"],
    [1, 0.5, "hat"],
    [2, 1, "hat"],
    [3, 1.5, "hat"],
    [4, 2, "hat"],
  ]);
  expect(written, "the listener hears what the file says").toEqual(heard);
});

test("progress is heard, bears the step of the event to come, and is not written", async () => {
  const log = open();
  log.emit("hat", warning("a"));
  log.emit("hat", progress);
  log.emit("hat", warning("b"));
  log.close();

  expect(heard.map(({ step, type }) => [step, type])).toEqual([
    [0, "warning"],
    [1, "progress"],
    [1, "warning"],
  ]);
  expect((await lines()).map(({ type }) => type)).toEqual(["warning", "warning"]);
});

test("a line is in the file as soon as it has happened", async () => {
  const log = open();
  log.emit("hat", warning("a"));

  expect(await lines()).toEqual(heard);
  log.close();
});

test("opened at an earlier position it cuts off what came behind, and counts steps and seconds on from there", async () => {
  now = 0;
  const log = open();
  log.emit("hat", warning("kept"));
  now = 7;
  const { position } = log;
  log.emit("hat", warning("done again: ä"));
  log.close();
  await appendFile(path, '{"step":2,"type":"warn'); // torn by a kill

  now = 1000; // another process, another clock
  const resumed = open(position);
  now = 1001;
  resumed.emit("hat", warning("new"));
  resumed.close();

  expect(
    (await lines()).map((event) => [event.step, event.time, "message" in event && event.message]),
  ).toEqual([
    [0, 0, "kept"],
    [1, 8, "new"],
  ]);
});

test("a run without a checkpoint begins its file anew", async () => {
  await appendFile(path, '{"step":0}\n{"torn');
  open().close();

  expect(await readFile(path, "utf8")).toBe("");
});

test.each([
  ["in the middle of a line", 3],
  ["in the middle of its first line", 100_000],
])("a file that is shorter than the position, cut %s, is repaired at its last whole line", async (_, cut) => {
  const log = open();
  log.emit("hat", warning("a"));
  log.emit("hat", warning("b".repeat(10_000))); // longer than one look at the end of the file
  const { position } = log;
  log.close();
  const size = position.bytes;
  await truncate(path, Math.max(5, size - cut));

  const resumed = open(position);
  resumed.emit("hat", warning("c"));
  resumed.close();

  const steps = (await lines()).map(({ step }) => step);
  expect(steps).toEqual(cut === 3 ? [0, 2] : [2]);
});

test("without a file it still counts and tells", () => {
  const log = open(firstPosition, null);
  log.emit("hat", warning("a"));
  log.flush();
  log.close();

  expect(heard).toHaveLength(1);
  expect(log.position.step).toBe(1);
});

test("a file that cannot be written is named", () => {
  expect(() => open(firstPosition, join(folder, "none", "events.jsonl"))).toThrow(
    expect.objectContaining({
      code: "WRITE_FAILED",
      message: expect.stringMatching(/events\.jsonl.*ENOENT/),
    }),
  );
});
