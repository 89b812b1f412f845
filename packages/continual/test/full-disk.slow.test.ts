import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SgdLearner } from "@milliner/continual/baselines";
import { flatten, linear, network, relu, selectBackend } from "@milliner/core";
import { CheckpointFolder } from "../src/run-folder.ts";
import { run } from "../src/run.ts";
import { syntheticScenario } from "../src/testing/synthetic-scenario.ts";
import { legacy, readAll, start, timeless } from "./run-process.ts";

let parent = "";
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "milliner-full-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

/** Path and bytes of every checkpoint file. */
async function checkpointFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const { path } = new CheckpointFolder(folder);
  const names = (await readdir(path)).filter((name) => /\.(json|safetensors)$/.test(name));
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(path, name))).toString("base64")] as const),
    ),
  );
}

describe.skipIf(process.platform === "win32")(
  "with a limit on the size of files, as ulimit -f sets it",
  () => {
    test("a run stops with one error that names the file, and goes on with the same bits where there is room", async () => {
      const whole = join(parent, "whole");
      expect((await start("run", whole).ended).status).toBe(0);
      const folder = join(parent, "limited");
      // 43 KiB: enough for the checkpoints within the first two tasks, not for the third, which has one head more.
      const stopped = await start("run", folder, 86).ended;

      expect(stopped, stopped.stderr).toMatchObject({
        status: 1,
        stderr: "",
        said: {
          error: "CheckpointError",
          code: "FILE_SIZE_LIMIT",
          message: expect.stringMatching(
            /task-002\.epoch-\d+\.safetensors cannot be written, .*limit on the size of a file \(EFBIG\)/,
          ),
        },
      });
      expect(await readAll(folder), "tasks 0 and 1").toBe(2);
      expect((await readdir(join(folder, "checkpoints"))).filter((name) => name.endsWith(".part"))).toEqual(
        [],
      );
      expect((await start("run", folder).ended).status).toBe(0);
      expect(await legacy(folder)).toEqual(await legacy(whole));
    });
  },
);

/** Whether this process may mount file systems: the test below needs a disk of its own to fill. */
function mayMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const probe = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe], { stdio: "ignore" });
    execFileSync("umount", [probe]);
    return true;
  } catch {
    return false;
  } finally {
    execFileSync("rmdir", [probe]);
  }
}

const canMount = mayMount();
if (!canMount) {
  process.stderr.write(
    "SKIPPED: a disk that is really full (ENOSPC); only root may mount one. The limit on file sizes was tested.\n",
  );
}

describe.skipIf(!canMount)("on a disk of 1 MiB that fills up", () => {
  const backend = selectBackend();
  const scenario = syntheticScenario({ imagesPerClass: 12 });
  const options = {
    body: network([4, 4, 1], flatten(), linear(256), relu()),
    backend,
    seed: 5,
    schedule: { epochs: 3, batchSize: 8, lr: 0.05, lrFactor: 3, lrPatience: 20, lrMin: 1e-4 },
  };
  let disk = "";
  beforeEach(async () => {
    disk = await mkdtemp(join(parent, "disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
  });
  afterEach(() => void execFileSync("umount", [disk]));

  /** Takes all the room that is left. */
  async function fill(): Promise<string> {
    const ballast = join(disk, "ballast");
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      await writeFile(ballast, Buffer.alloc(size), { flag: "a" }).catch(() => undefined);
    }
    return ballast;
  }

  async function runOnce(folder: string, events: (seen: number) => void = () => undefined): Promise<unknown> {
    const learner = new SgdLearner(options);
    let seen = 0;
    try {
      return timeless(
        await run(scenario, learner, {
          seed: 5,
          backend,
          folder,
          resume: true,
          checkpointSeconds: 0,
          events: ({ type }) => (type === "progress" ? undefined : events(++seen)),
        }),
      );
    } finally {
      learner.dispose();
    }
  }

  test("whenever that is, nothing is lost that was there, one error says so, and with room again the bits are the same", async () => {
    const expected = await runOnce(join(parent, "whole"));
    const ballast = join(disk, "ballast");
    let failures = 0;
    for (let at = 1; at <= 27; at += 2) {
      const folder = join(disk, "run");
      const error: unknown = await runOnce(folder, (seen) => {
        // In one go, as another process would: the run gets no turn in between.
        if (seen === at)
          execFileSync("sh", ["-c", 'dd if=/dev/zero of="$0" bs=512 2>/dev/null; true', ballast]);
      }).catch((caught: unknown) => caught);
      const before = await checkpointFiles(folder);

      expect(error, `full at event ${at}`).toMatchObject({
        name: "CheckpointError",
        code: "DISK_FULL",
        message: expect.stringContaining("ENOSPC"),
      });
      failures += 1;
      await readAll(folder);
      // Resuming on the full disk changes nothing either.
      await expect(runOnce(folder)).rejects.toMatchObject({ code: "DISK_FULL" });
      expect(await checkpointFiles(folder), `full at event ${at}`).toEqual(before);

      await rm(ballast);
      expect(await runOnce(folder), `full at event ${at}`).toEqual(expected);
      await rm(folder, { recursive: true });
    }
    expect(failures).toBe(14);
  });

  test("the checkpoint that was there when the disk filled is there afterwards, byte for byte", async () => {
    const folder = join(disk, "run");
    await runOnce(folder);
    const before = await checkpointFiles(folder);
    const ballast = await fill();
    expect((await stat(ballast)).size).toBeGreaterThan(0);
    await rm(join(folder, "checkpoints", "task-002.json")); // so that there is something to do: task 2 again
    const left = await checkpointFiles(folder);

    await expect(runOnce(folder)).rejects.toMatchObject({ code: "DISK_FULL" });

    for (const task of ["task-000", "task-001"])
      for (const end of ["json", "safetensors"])
        expect((await checkpointFiles(folder)).get(`${task}.${end}`)).toBe(before.get(`${task}.${end}`));
    expect(left.size).toBe(5);
  });
});
