import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Stream } from "@milliner/core";
import { legacy, program, readAll, start, type RunProcess } from "./run-process.ts";

let parent = "";
const alive = new Set<RunProcess>();
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "milliner-kill-"));
});
afterAll(async () => {
  for (const { child } of alive) child.kill("SIGKILL");
  await rm(parent, { recursive: true, force: true });
});

async function started(folder: string, events = 1): Promise<RunProcess> {
  const process = start("run", folder);
  alive.add(process);
  void process.ended.then(() => alive.delete(process));
  await process.events(events);
  return process;
}

test("a run that is killed at random moments ends, resumed, with the bits of one that was not", async ({
  task,
}) => {
  const times = 8 * inject("soak");
  task.meta.draws = times;
  const whole = join(parent, "whole");
  const { status, stderr } = await (await started(whole)).ended;
  expect(status, stderr).toBe(0);
  const expected = await legacy(whole);
  const verified = (await start("verify", whole).ended).said as { readonly tasks: unknown };

  // After how many events of its process comes from a seed, and what the moment hits then is up to the machine. It lies
  // within a third of a whole run's events, so that some processes get past a task and some past nothing.
  const seed = 20261121;
  const events = (await readFile(join(whole, "events.jsonl"), "utf8")).trimEnd().split("\n").length;
  const moments = new Stream(seed, "kills").uniform(times, 1, events / 3).map(Math.floor);
  const told = (): string => `seed ${seed}, killed after ${moments.slice(0, kills).join(", ")} events each`;
  let [kills, runs, found] = [0, 0, 0];
  while (kills < times) {
    const folder = join(parent, `killed-${runs++}`);
    for (;;) {
      const process = await started(folder, moments[kills]);
      if (kills < times && process.child.exitCode === null) process.child.kill("SIGKILL");
      const ended = await process.ended;
      if (ended.signal === "SIGKILL") {
        kills += 1;
        found += await readAll(folder); // what has its final name is whole, at every moment
        continue;
      }
      expect(ended.status, `${told()}: ${ended.stderr}`).toBe(0);
      break;
    }

    expect(await legacy(folder), `run ${runs}, ${told()}`).toEqual(expected);
    const { said } = await start("verify", folder).ended;
    expect((said as { readonly tasks: unknown }).tasks, `logits in a fresh process, ${told()}`).toEqual(
      verified.tasks,
    );
    expect((await readdir(folder)).sort()).toEqual(["checkpoints", "events.jsonl", "result.json"]);
    const names = [
      ...(await readdir(join(folder, "checkpoints"))),
      ...(await readdir(join(folder, "checkpoints", "sgd-frozen"))),
    ];
    expect(names.filter((name) => name.endsWith(".part"))).toEqual([]);
  }
  expect(found, `the kills met checkpoints, ${told()}`).toBeGreaterThan(0);
});

test("the folder of a living run is refused to another process, and free once it was killed", async () => {
  const folder = join(parent, "locked");
  const owner = await started(folder);
  owner.child.kill("SIGSTOP"); // it lives, and cannot end on its own
  const second = await start("run", folder).ended;
  owner.child.kill("SIGKILL");
  await owner.ended;

  expect(second).toMatchObject({ status: 1, said: { error: "ConfigError", code: "RUN_LOCKED" } });
  expect((second.said as { message: string }).message).toContain(`process ${owner.child.pid}`);
  expect((await start("run", folder).ended).status).toBe(0);
});

test("a process that ends at once gives the folder back", async () => {
  const folder = join(parent, "left");

  const { status } = await start("leave", folder).ended;

  expect(status).toBe(3);
  expect(await readdir(folder)).not.toContain("run.lock");
});

// Elsewhere the system does not tell that a thread is gone, and its lock counts until its process ends.
test.runIf(process.platform === "linux")(
  "the folder of a run in a worker is refused while the worker lives, and free once it was terminated",
  async () => {
    const folder = join(parent, "worker");
    const worker = new Worker(program, { argv: ["stay", folder], execArgv: [] });
    await once(worker, "message");
    const second = await start("run", folder).ended;
    await worker.terminate();

    const { status, stderr } = await start("run", folder).ended;

    expect(second).toMatchObject({ status: 1, said: { error: "ConfigError", code: "RUN_LOCKED" } });
    expect(status, stderr).toBe(0);
  },
);
