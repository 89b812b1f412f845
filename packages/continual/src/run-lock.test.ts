import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { ConfigError } from "@milliner/core";
import { lockRun } from "./run-lock.ts";

let folder = "";
let path = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-lock-"));
  path = join(folder, "run.lock");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Another process, which lives until it is killed. */
async function otherProcess(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  await once(child.stdout, "data");
  return child as ChildProcess & { readonly pid: number };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** The lock file as process `pid` would have written it: taken from the real one of this process. */
async function leaveLock(pid: number, change: object = {}): Promise<void> {
  const lock = await lockRun(folder);
  const mine = JSON.parse(await readFile(path, "utf8"));
  await lock.release();
  await writeFile(path, JSON.stringify({ ...mine, pid, thread: pid, started: null, ...change }));
}

test("a run that has the folder keeps every other out until it lets go", async () => {
  const lock = await lockRun(folder);

  await expect(lockRun(folder)).rejects.toThrow(
    expect.objectContaining({ code: "RUN_LOCKED", message: expect.stringContaining(`${process.pid}`) }),
  );
  await lock.release();
  const again = await lockRun(folder);
  await again.release();

  expect(await readdir(folder), "nothing is left").toEqual([]);
});

test("of twenty that come at once exactly one gets it", async ({ task }) => {
  task.meta.draws = 20 * inject("soak");
  for (let race = 0; race < inject("soak"); race++) {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockRun(folder)));

    const winners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(winners).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(ConfigError);
    expect(await readdir(folder)).toEqual(["run.lock"]);
    await winners[0]!.release();
  }
});

describe.runIf(process.platform === "linux")("the lock of a worker, which its process outlives", () => {
  /** A worker that waits for ever, and the number that the system gives it. */
  async function otherThread(): Promise<{ readonly worker: Worker; readonly thread: number }> {
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads");
      parentPort.postMessage(require("node:fs").readlinkSync("/proc/thread-self"));
      setInterval(() => {}, 1000);`,
      { eval: true },
    );
    const [link] = (await once(worker, "message")) as [string];
    return { worker, thread: Number(link.split("/")[2]) };
  }

  test("is respected while it lives, and taken over when it was terminated", async () => {
    const { worker, thread } = await otherThread();
    await leaveLock(process.pid, { thread });

    const refused: unknown = await lockRun(folder).catch((error: unknown) => error);
    await worker.terminate();
    const lock = await lockRun(folder);

    expect(refused).toMatchObject({
      code: "RUN_LOCKED",
      message: expect.stringContaining(`is in use by thread ${thread} of process ${process.pid} on `),
    });
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({
      pid: process.pid,
      thread: Number(readlinkSync("/proc/thread-self").split("/")[2]),
    });
    await lock.release();
  });

  test("is taken over when its number belongs to a later thread", async () => {
    const { worker, thread } = await otherThread();
    const stat = await readFile(`/proc/self/task/${thread}/stat`, "utf8");
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    await leaveLock(process.pid, { thread, started: `${boot}/${started}` });
    await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });
    await leaveLockAgain({ started: `${boot}/${started - 1}` });

    await (await lockRun(folder)).release();

    await worker.terminate();
  });

  async function leaveLockAgain(change: object): Promise<void> {
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...change }));
  }
});

describe.runIf(process.platform === "linux")(
  "the lock of another container with the same name of its machine",
  () => {
    const nobody = 4_194_305; // above the largest number of a process that Linux gives
    const otherContainer = { namespace: "pid:[1]" };

    test("is respected, though no process of that number is in sight", async () => {
      await leaveLock(nobody, otherContainer);

      await expect(lockRun(folder)).rejects.toMatchObject({
        code: "RUN_LOCKED",
        message: expect.stringContaining(`process ${nobody} of another container on ${hostname()};`),
      });
    });

    test("is respected, though a later process here has its number", async () => {
      const [boot] = JSON.parse(await lockText()).started.split("/");
      await leaveLock(process.pid, { ...otherContainer, started: `${boot}/1` });

      await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });
    });

    test("is taken over when the machine has been started anew since", async () => {
      await leaveLock(nobody, { ...otherContainer, started: "an-earlier-boot/1" });

      await (await lockRun(folder)).release();
    });

    async function lockText(): Promise<string> {
      const lock = await lockRun(folder);
      const text = await readFile(path, "utf8");
      await lock.release();
      return text;
    }
  },
);

describe.skipIf(process.platform === "win32")("what is called like the lock and is no file", () => {
  test.each<[string, () => unknown]>([
    ["a pipe that nobody writes to", () => execFileSync("mkfifo", [path])],
    ["an endless device", () => symlink("/dev/zero", path)],
    ["a folder", () => mkdir(path)],
  ])("is not waited for, and is not taken for a lock that is gone: %s", async (_, make) => {
    await make();

    await expect(lockRun(folder)).rejects.toMatchObject({
      code: "RUN_LOCKED",
      message: expect.stringMatching(/in use by somebody whom run\.lock does not name;.* delete .*run\.lock/),
    });
    expect(await readdir(folder)).toEqual(["run.lock"]);
  });

  test("keeps no thread from its end where it stands in place of the thread's own lock", async () => {
    const lock = await lockRun(folder);
    const giveBack = process.listeners("exit").find(({ name }) => name === "giveBack")!;
    await rm(path);
    execFileSync("mkfifo", [path]);

    giveBack(0);
    await lock.release();

    expect(await readdir(folder)).toEqual(["run.lock"]);
  });

  test("is left where it is, if it is a folder of a similar name", async () => {
    await mkdir(join(folder, "run.lock.d"));

    await (await lockRun(folder)).release();

    expect(await readdir(folder)).toEqual(["run.lock.d"]);
  });
});

describe("the lock of another process", () => {
  test("is respected while it lives, and the message names it and the file to delete", async () => {
    const { pid } = await otherProcess();
    await leaveLock(pid);

    await expect(lockRun(folder)).rejects.toThrow(
      expect.objectContaining({
        code: "RUN_LOCKED",
        message: expect.stringMatching(new RegExp(`process ${pid} on .*delete .*run\\.lock`)),
      }),
    );
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid });
  });

  test("is taken over when it was killed", async () => {
    const child = await otherProcess();
    await leaveLock(child.pid);
    await end(child);

    const lock = await lockRun(folder);

    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test.runIf(process.platform === "linux")(
    "is taken over when its number belongs to a later process, and when the machine was started again since",
    async () => {
      const { pid } = await otherProcess();
      for (const started of ["00000000-0000-0000-0000-000000000000/1", "no such boot/0"]) {
        await leaveLock(pid, { started });

        await (await lockRun(folder)).release();
      }
    },
  );

  test.runIf(process.platform === "linux")(
    "is taken over when it is dead and its parent has not collected it, as in containers",
    async () => {
      const parent = spawn("sh", ["-c", "sleep 3600 & echo $!; exec sleep 3600"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      children.push(parent);
      const [said] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(said.toString());
      const proc = (of: number, name: string): Promise<string> => readFile(`/proc/${of}/${name}`, "utf8");
      const hangs = { timeout: 600_000 };
      // A shell would collect it; what the shell becomes does not.
      await vi.waitFor(async () => expect(await proc(parent.pid!, "comm")).toBe("sleep\n"), hangs);
      process.kill(pid, "SIGKILL");
      await vi.waitFor(async () => expect(await proc(pid, "stat")).toContain(") Z "), hangs);
      await leaveLock(pid);

      await (await lockRun(folder)).release();
    },
  );

  test("of another user, whom the system does not let us ask, is respected", async () => {
    const { pid } = await otherProcess();
    await leaveLock(pid);
    const kill = vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    });
    const refused = await lockRun(folder).catch((error: unknown) => error);
    kill.mockRestore();

    expect(refused).toMatchObject({ code: "RUN_LOCKED" });
  });

  test("on another machine is respected: nobody here can know whether it lives", async () => {
    const child = await otherProcess();
    await end(child);
    await leaveLock(child.pid, { host: `not-${hostname()}` });

    await expect(lockRun(folder)).rejects.toMatchObject({
      code: "RUN_LOCKED",
      message: expect.stringContaining(`not-${hostname()}`),
    });
  });

  test.each(["", "{", "null", "[]", '{"pid":-1,"host":HERE}', '{"pid":1.5,"host":HERE}', '{"pid":1}'])(
    "that says %j is respected, because nobody is known to be dead",
    async (text) => {
      await writeFile(path, text.replace("HERE", JSON.stringify(hostname())));

      await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });
    },
  );

  test("left by a dead one is taken over by one of ten that come at once", async () => {
    const child = await otherProcess();
    await leaveLock(child.pid);
    await end(child);

    const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockRun(folder)));

    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readdir(folder)).toEqual(["run.lock"]);
  });
});

test("a process that died while it cleared a dead one's lock away is not in the way either", async () => {
  const child = await otherProcess();
  await leaveLock(child.pid);
  await end(child);
  const stale = await readFile(path, "utf8");
  const clearing = `run.lock.${createHash("sha256").update(`run.lock\n${stale}`).digest("hex").slice(0, 16)}`;
  await writeFile(join(folder, clearing), stale);

  await (await lockRun(folder)).release();

  expect(await readdir(folder)).toEqual([]);
});

test("what processes left that were killed on the way to the lock is swept up by the next owner", async () => {
  await writeFile(join(folder, "run.lock.2f0e7a52-0000-0000-0000-000000000000.part"), "{");
  await writeFile(join(folder, "run.lock.0123456789abcdef"), "{}");
  await writeFile(join(folder, "a file of somebody else"), "");

  await (await lockRun(folder)).release();

  expect(await readdir(folder)).toEqual(["a file of somebody else"]);
});

test("letting go leaves the lock of who has taken the folder since, because a person had deleted the file", async () => {
  const first = await lockRun(folder);
  await rm(path);
  const second = await lockRun(folder);
  await first.release();

  await expect(lockRun(folder)).rejects.toMatchObject({ code: "RUN_LOCKED" });
  await second.release();
});

test("a folder that is not there is named, with what to check", async () => {
  await expect(lockRun(join(folder, "none"))).rejects.toMatchObject({
    name: "CheckpointError",
    code: "WRITE_FAILED",
    message: expect.stringMatching(/none.*ENOENT/),
  });
});
