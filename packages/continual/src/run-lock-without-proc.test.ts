import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { lockRun } from "./run-lock.ts";

const hidden = vi.hoisted(() => ({ isHidden: (_path: string): boolean => false }));
vi.mock(import("node:fs"), async (original) => {
  const fs = await original();
  const shown = (path: unknown): void => {
    if (hidden.isHidden(String(path))) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
  };
  const readFileSync = ((path: string, ...rest: []) => {
    shown(path);
    return fs.readFileSync(path, ...rest);
  }) as typeof fs.readFileSync;
  const readlinkSync = ((path: string, ...rest: []) => {
    shown(path);
    return fs.readlinkSync(path, ...rest);
  }) as typeof fs.readlinkSync;
  return { ...fs, readFileSync, readlinkSync };
});

let folder = "";
let child: ChildProcess;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-proc-"));
  child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout!, "data");
});
afterEach(async () => {
  child.kill("SIGKILL");
  hidden.isHidden = () => false;
  await rm(folder, { recursive: true, force: true });
});

/** The lock as `child` wrote it when nothing was hidden yet. */
async function leaveLock(change: object = {}): Promise<void> {
  const path = join(folder, "run.lock");
  const lock = await lockRun(folder);
  const mine = JSON.parse(await readFile(path, "utf8")) as object;
  await lock.release();
  await writeFile(path, JSON.stringify({ ...mine, pid: child.pid, thread: child.pid, ...change }));
}

describe.each<[string, (path: string) => boolean]>([
  ["/proc cannot be read", (path) => path.startsWith("/proc/")],
  ["/proc hides the processes of others (hidepid)", (path) => path.startsWith(`/proc/${child.pid}/`)],
  ["the system does not say which boot it is", (path) => path.endsWith("/boot_id")],
])("where %s", (_, isHidden) => {
  test.each([{ started: null }, { started: "of another view/1" }, { thread: null, started: null }])(
    "a lock %j whose process is there is respected, and taken over once it was killed",
    async (change) => {
      await leaveLock(change);
      hidden.isHidden = isHidden;

      const refused: unknown = await lockRun(folder).catch((error: unknown) => error);
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      const lock = await lockRun(folder);

      expect(refused).toMatchObject({
        code: "RUN_LOCKED",
        message: expect.stringContaining(`process ${child.pid} on `),
      });
      await lock.release();
    },
  );

  test("a thread has the folder that it took, whatever it knows of itself", async () => {
    hidden.isHidden = isHidden;
    const lock = await lockRun(folder);

    await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });

    await lock.release();
  });
});
