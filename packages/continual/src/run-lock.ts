import { createHash, randomUUID } from "node:crypto";
import { lstatSync, readFileSync, rmSync } from "node:fs";
import { link, open, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "@milliner/core";
import { errorCode, flush, readBoundedFile } from "@milliner/data";
import { writeError } from "./atomic-file.ts";
import { isDead, isOfOtherContainer, parseOwner, thisThread, type Owner } from "./lock-owner.ts";

/** A run folder that this thread owns, until `release`. */
export interface RunLock {
  release(): Promise<void>;
}

/**
 * Takes a run folder for this thread. The lock is a file that names its owner; one that is known to be dead is taken over. A
 * thread that ends by `process.exit` gives its folders back; a process that is killed cannot, nor a worker that is terminated.
 *
 * @param folder - exists
 * @throws ConfigError (`RUN_LOCKED`) when somebody owns it who lives, or of whom that cannot be known, as on another machine
 * @throws CheckpointError when the folder cannot be written to
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const path = join(folder, lockName);
  const mine = JSON.stringify({ ...thisThread(), id: randomUUID() });
  await take(path, mine, folder);
  hold(mine, path);
  await sweep(folder);
  return {
    // Somebody may have deleted it, as the message invites to, and taken the folder since.
    release: async () => {
      letGo(mine);
      if ((await read(path)) === mine) await rm(path, { force: true });
    },
  };
}

/** The file in a run's folder that names its owner. */
export const lockName = "run.lock";

/** A lock is one line. */
const largestBytes = 2 ** 16;

// The locks of this thread, content and path: only the thread knows when it ends, so it keeps them in one place, with one
// listener.
const held = new Map<string, string>();

function hold(content: string, path: string): void {
  if (held.size === 0) process.on("exit", giveBack);
  held.set(content, path);
}

function letGo(content: string): void {
  held.delete(content);
  if (held.size === 0) process.off("exit", giveBack);
}

function giveBack(): void {
  for (const [content, path] of held) {
    try {
      // Somebody's pipe or device in its place would keep the process from its end.
      if (lstatSync(path).isFile() && readFileSync(path, "utf8") === content) rmSync(path);
    } catch {
      // gone already, or the file system refuses: whoever comes next finds that the owner is dead
    }
  }
}

// What processes left that were killed while they took the lock or cleared one away. It is of no use to anybody once the
// folder has a new owner; one who comes this moment and misses a file of theirs begins again, and meets that owner.
async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    // It need not be a file of ours: a folder called so stays.
    if (name.startsWith(`${lockName}.`)) await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

async function take(path: string, mine: string, folder: string): Promise<void> {
  // Twice: once more after a stale lock has been cleared away. Who loses the race for it then meets a live owner.
  for (let attempt = 0; attempt < 2; attempt++) {
    if (await createExclusively(path, mine)) return;
    const found = await read(path);
    if (found === null) continue; // released in this moment
    const owner = parseOwner(found);
    if (owner === null || !isDead(owner)) throw lockedBy(owner, folder, path);
    await clearStale(path, found, mine, folder);
  }
  throw lockedBy(null, folder, path);
}

// Only who holds the lock on clearing this very lock may remove it, and no two locks have the same content. Otherwise one who
// has read the stale lock could remove that of another who has taken the folder over in between. A clearing lock that a dead
// process left is taken over in the same way.
async function clearStale(path: string, stale: string, mine: string, folder: string): Promise<void> {
  const clearing = join(
    folder,
    `${lockName}.${createHash("sha256")
      .update(`${basename(path)}\n${stale}`)
      .digest("hex")
      .slice(0, 16)}`,
  );
  await take(clearing, mine, folder);
  try {
    if ((await read(path)) === stale) await rm(path, { force: true });
  } finally {
    await rm(clearing, { force: true });
  }
}

/** Null where there is none; empty for what cannot be read, such as a pipe, which names no owner either. */
async function read(path: string): Promise<string | null> {
  try {
    return new TextDecoder().decode(await readBoundedFile(path, largestBytes));
  } catch (error) {
    if (errorCode(error) === "FILE_MISSING") return null;
    return "";
  }
}

function lockedBy(owner: Owner | null, folder: string, path: string): ConfigError {
  const who = owner === null ? "somebody whom run.lock does not name" : ownerText(owner);
  return new ConfigError(
    "RUN_LOCKED",
    `${folder} is in use by ${who}; wait for it, choose another folder, or delete ${path} if you are sure that it is gone`,
  );
}

function ownerText(owner: Owner): string {
  const { pid, thread, host } = owner;
  const where = isOfOtherContainer(owner) ? "of another container on" : "on";
  const text = `process ${pid} ${where} ${host}`;
  return thread === null || thread === pid ? text : `thread ${thread} of ${text}`;
}

// The content is there from the first moment on: written aside, then linked under the name, which fails if it exists.
async function createExclusively(path: string, content: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(aside, "wx");
    try {
      await file.writeFile(content);
      await flush(file.fd);
    } finally {
      await file.close();
    }
    await link(aside, path);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST") return false;
    if (code === "ENOENT" && (await isThere(dirname(path)))) return false; // swept by who took the folder this moment
    if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") {
      return await createWithoutLinks(path, content);
    }
    throw writeError(path, error);
  } finally {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

// File systems without hard links (FAT, some network folders): exclusive too, but a crash between the two steps leaves an
// empty file, which no one can attribute and a person has to delete.
async function createWithoutLinks(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw writeError(path, error);
  }
}
