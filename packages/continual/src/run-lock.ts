import { createHash, randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { link, open, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "@milliner/core";
import { flush, readBoundedFile } from "@milliner/data";
import { writeError } from "./atomic-file.ts";

/** A run folder that this process owns, until `release`. */
export interface RunLock {
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** When the process started, in the system's own terms: tells it from a later one with the same number. */
  readonly started: string | null;
  readonly host: string;
}

/**
 * Takes a run folder for this process. The lock is a file that names its owner; one that a dead process left is taken over.
 * A process that ends by `process.exit` gives its folders back; one that is killed cannot.
 *
 * @param folder - exists
 * @throws ConfigError (`RUN_LOCKED`) when a live process owns it, or one on another machine, which cannot be asked
 * @throws CheckpointError when the folder cannot be written to
 */
export async function lockRun(folder: string): Promise<RunLock> {
  const path = join(folder, lockName);
  const mine = JSON.stringify({
    pid: process.pid,
    started: processStart(process.pid),
    host: hostname(),
    id: randomUUID(),
  } satisfies Owner & { readonly id: string });
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

const lockName = "run.lock";

/** A lock is one line. */
const largestBytes = 2 ** 16;

// The locks of this process, content and path: only the process knows when it ends, so it keeps them in one place, with one
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
      if (readFileSync(path, "utf8") === content) rmSync(path);
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
    if (name.startsWith(`${lockName}.`)) await rm(join(folder, name), { force: true });
  }
}

async function take(path: string, mine: string, folder: string): Promise<void> {
  // Twice: once more after a stale lock has been cleared away. Who loses the race for it then meets a live owner.
  for (let attempt = 0; attempt < 2; attempt++) {
    if (await createExclusively(path, mine)) return;
    const found = await read(path);
    if (found === null) continue; // released in this moment
    const owner = parseOwner(found);
    if (owner === null || isAlive(owner)) throw lockedBy(owner, folder, path);
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

function read(path: string): Promise<string | null> {
  return readBoundedFile(path, largestBytes).then(
    (bytes) => new TextDecoder().decode(bytes),
    () => null,
  );
}

function lockedBy(owner: Owner | null, folder: string, path: string): ConfigError {
  const who = owner === null ? "another run" : `process ${owner.pid} on ${owner.host}`;
  return new ConfigError(
    "RUN_LOCKED",
    `${folder} is in use by ${who}; wait for it, choose another folder, or delete ${path} if you are sure that it is gone`,
  );
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
    if (hasCode(error, "EEXIST")) return false;
    if (hasCode(error, "ENOENT") && (await isThere(dirname(path)))) return false; // swept by one who took the folder this moment
    if (hasCode(error, "EPERM") || hasCode(error, "ENOTSUP") || hasCode(error, "ENOSYS")) {
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
    if (hasCode(error, "EEXIST")) return false;
    throw writeError(path, error);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function parseOwner(text: string): Owner | null {
  try {
    const value = JSON.parse(text) as Partial<Owner> | null;
    const { pid, started = null, host } = value ?? {};
    if (!Number.isSafeInteger(pid) || pid! < 1 || typeof host !== "string") return null;
    return { pid: pid!, started: typeof started === "string" ? started : null, host };
  } catch {
    return null;
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return hasCode(error, "EPERM"); // somebody else's process, but a process
  }
  if (process.platform !== "linux") return true;
  const started = processStart(owner.pid);
  return started !== null && (owner.started === null || owner.started === started);
}

// Linux: which boot, and the clock tick of it. Null for a process that is gone, or dead and not collected by its parent yet
// (as in containers whose first process collects nobody). Null on other systems, where the number alone has to do.
function processStart(pid: number): string | null {
  if (process.platform !== "linux") return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before may hold anything
    const [state] = fields;
    if (state === "Z" || state === "X") return null;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${fields[19]}`;
  } catch {
    return null;
  }
}
