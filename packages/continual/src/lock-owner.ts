import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { errorCode, pidNamespace } from "@milliner/data";
import { isWhole } from "./whole-number.ts";

/** A thread of a process: what owns a run. A worker that is terminated gives nothing back, and its process lives on. */
export interface Owner {
  readonly pid: number;
  /** The system's number of the thread, equal to `pid` for a process' first one; null where the system does not say. */
  readonly thread: number | null;
  /** When the thread started, in the system's own terms: tells it from a later one with the same number. */
  readonly started: string | null;
  /** Which numbering `pid` is of: that of a container, say. Null where the system has one, or does not say. */
  readonly namespace: string | null;
  readonly host: string;
}

/** The thread that calls. */
export function thisThread(): Owner {
  const thread = ownThread();
  const started = thread === null ? null : look(process.pid, thread)?.started;
  return { pid: process.pid, thread, started: started ?? null, namespace: pidNamespace(), host: hostname() };
}

/** Null for what names no owner. */
export function parseOwner(text: string): Owner | null {
  try {
    const value = JSON.parse(text) as Partial<Owner> | null;
    const { pid, thread = null, started = null, namespace = null, host } = value ?? {};
    if (!isWhole(pid, 1) || typeof host !== "string") return null;
    return {
      pid,
      thread: isWhole(thread, 1) ? thread : null,
      started: typeof started === "string" ? started : null,
      namespace: typeof namespace === "string" ? namespace : null,
      host,
    };
  } catch {
    return null;
  }
}

/** Whether a thread is gone for certain. What cannot be known counts as alive: two that write one folder would spoil it. */
export function isDead(owner: Owner): boolean {
  const { pid, thread, started, host } = owner;
  if (host !== hostname() || isOfOtherContainer(owner)) return false;
  if (ownThread() !== null) {
    const seen = look(pid, thread ?? pid);
    if (seen !== null) {
      return seen.isEnded || (started !== null && seen.started !== null && seen.started !== started);
    }
    if (look(pid, pid) !== null) return true; // the process is in sight, and has no such thread
  }
  try {
    process.kill(pid, 0);
    return false; // it is there, and out of sight
  } catch (error) {
    return errorCode(error) === "ESRCH";
  }
}

// Containers may share the machine's name (`--network host`), and none sees the processes of another. What ran before the machine
// was started anew is gone, wherever it was.
export function isOfOtherContainer({ namespace, started }: Owner): boolean {
  const own = pidNamespace();
  if (namespace === null || own === null || namespace === own) return false;
  const boot = bootId();
  return started === null || boot === null || started.startsWith(`${boot}/`);
}

// Linux: the thread's number out of `PID/task/THREAD`. Null on other systems, where /proc cannot be read, and where it is that of
// another container and numbers other processes.
function ownThread(): number | null {
  try {
    const [pid, , thread] = readlinkSync("/proc/thread-self").split("/").map(Number);
    return pid === process.pid && isWhole(thread, 1) ? thread : null;
  } catch {
    return null;
  }
}

/** A thread as Linux shows it. */
interface Seen {
  /** Dead, and not collected by its parent yet, as in containers whose first process collects nobody. */
  readonly isEnded: boolean;
  /** Which boot, and the clock tick of it. */
  readonly started: string | null;
}

function look(pid: number, thread: number): Seen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before may hold anything
    const boot = bootId();
    return {
      isEnded: fields[0] === "Z" || fields[0] === "X",
      started: boot === null ? null : `${boot}/${fields[19]}`,
    };
  } catch {
    return null;
  }
}

function bootId(): string | null {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return null;
  }
}
