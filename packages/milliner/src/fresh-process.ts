import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { CheckpointError } from "@milliner/core";
import { StoredJson, type Verification } from "@milliner/continual";
import { errorCode } from "@milliner/data";
import type { Device } from "./device.ts";
import { packageFile } from "./package-file.ts";

/** What the fresh process says to its parent as soon as it runs; its second word is the verification. */
export const firstWord = "started";

/** When a check in a fresh process is given up. */
export interface FreshProcessOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long its first word is waited for: under a limit on processes Node may sleep for ever as it starts. Default 120. */
  readonly firstWordSeconds?: number;
}

/**
 * `milliner verify RUN` in a process of its own: nothing of a task may live outside its checkpoint.
 * @param data - folder of the images, null for the published data set
 * @throws CheckpointError (`NO_FRESH_PROCESS`) when that process does not come to its first word, (`VERIFY_FAILED`) when it says
 *   something else than a verification behind it
 */
export async function verifyInFreshProcess(
  folder: string,
  data: string | null,
  { backend, threads }: Device,
  options: FreshProcessOptions = {},
): Promise<Verification> {
  const args = ["verify", folder, "--tell-parent", "--device", backend.name, "--threads", String(threads)];
  if (data !== null) args.push("--data", data);
  const command = packageFile("bin/milliner.js");
  // In a bundle the command is not beside this code.
  if (!existsSync(command))
    throw noFreshProcess(
      folder,
      `${command} is not there`,
      "as in a bundle, of which milliner has to be kept out",
    );
  const { status, said, stderr, notStarted } = await ended([command, ...args], options);
  if (notStarted !== null)
    throw noFreshProcess(
      folder,
      notStarted,
      notStarted === "ERR_ACCESS_DENIED"
        ? "since Node's permission model is on without --allow-child-process"
        : `as under a limit on processes or memory, or where ${process.execPath} was replaced since the run began`,
    );
  if (said === undefined) {
    const lines = stderr.trim().split("\n");
    const reason =
      lines.findLast((line) => line.startsWith("error: "))?.slice("error: ".length) ?? lines.at(-1)!;
    throw new CheckpointError(
      "VERIFY_FAILED",
      `${folder} could not be checked in a fresh process, which ended with ${status}: ${reason || "it said nothing"}`,
    );
  }
  const found = new StoredJson(said, "what the fresh process says");
  return {
    checkpoint: found.string("checkpoint"),
    tasks: found.list("tasks", (entry) => {
      const task = entry.object("value");
      return { task: task.whole("task"), expected: task.string("expected"), found: task.string("found") };
    }),
    bitExactOldLogits: found.boolean("bitExactOldLogits"),
    lockedUnchanged: found.nullable("lockedUnchanged", (key) => found.boolean(key)),
  };
}

function noFreshProcess(folder: string, reason: string, likely: string): CheckpointError {
  return new CheckpointError(
    "NO_FRESH_PROCESS",
    `no fresh process could be started to check ${folder} (${reason}), ${likely}; ` +
      "it was checked from its checkpoint in the process that trained it, and milliner verify checks it in one of its own where there is room",
  );
}

/** How a process ended that was none of the command's: that one says `error: ` before it ends without its first word. */
function strangeEnd(status: number | null, stderr: string): string | null {
  if (/^error: /m.test(stderr)) return null;
  const lines = stderr.trim().split("\n");
  // Below an error that nobody caught Node writes where it was, and its version.
  const line = lines.find((one) => /^\w*Error\b/.test(one)) ?? lines.at(-1)!;
  return `it ended with ${status}${line === "" ? "" : `: ${line.slice(0, 200)}`}`;
}

interface Ended {
  readonly status: number | string;
  /** Its last message but the first word. */
  readonly said: unknown;
  readonly stderr: string;
  /** Why it did not come to its first word; null where it did, or ended by itself with an error that it could tell. */
  readonly notStarted: string | null;
}

async function ended(
  args: readonly string[],
  { signal, firstWordSeconds = 120 }: FreshProcessOptions,
): Promise<Ended> {
  let bound: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Ended>((done, fail) => {
      const child = spawn(process.execPath, [...args], {
        stdio: ["ignore", "ignore", "pipe", "ipc"],
        windowsHide: true,
        ...(signal === undefined ? {} : { signal }),
      });
      let isStarted = false;
      let isLate = false;
      let said: unknown;
      let stderr = "";
      child.on("error", fail); // the first listener: where there are no pipes for it, what follows finds none
      bound = setTimeout(() => {
        isLate = true;
        child.kill("SIGKILL");
      }, firstWordSeconds * 1000);
      child.on("message", (message) => {
        clearTimeout(bound);
        if (message === firstWord) isStarted = true;
        else said = message;
      });
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("close", (status, killedBy) => {
        const how = isLate
          ? `no word from it within ${firstWordSeconds} seconds`
          : (killedBy ?? strangeEnd(status, stderr));
        done({ status: status ?? killedBy ?? "nothing", said, stderr, notStarted: isStarted ? null : how });
      });
    });
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    const code = errorCode(error) ?? String(error);
    return { status: code, said: undefined, stderr: "", notStarted: code };
  } finally {
    clearTimeout(bound);
  }
}
