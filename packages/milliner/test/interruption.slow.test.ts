// What signals and a reader that goes away do to the command as it is shipped.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { commandFolder } from "./command-folder.ts";
import { milliner, preload, start, type Finished } from "./command-process.ts";

const { folder, trainArgs } = commandFolder();

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
