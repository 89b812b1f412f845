import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CheckpointError } from "@milliner/core";
import { StoredJson, type Verification } from "@milliner/continual";
import type { Device } from "./device.ts";

/** The command itself, from src/ and from dist/ alike. */
const command = fileURLToPath(new URL("../bin/milliner.js", import.meta.url));

/**
 * `milliner verify RUN` in a process of its own: nothing of a task may live outside its checkpoint.
 * @param data - folder of the images, null for the published data set
 * @throws CheckpointError (`VERIFY_FAILED`) when that process says something else than a verification
 */
export async function verifyInFreshProcess(
  folder: string,
  data: string | null,
  { backend, threads }: Device,
  signal?: AbortSignal,
): Promise<Verification> {
  const args = ["verify", folder, "--tell-parent", "--device", backend.name, "--threads", String(threads)];
  if (data !== null) args.push("--data", data);
  const { status, said, stderr } = await ended([command, ...args], signal);
  if (said === undefined) {
    const lines = stderr.trim().split("\n");
    const reason =
      lines.findLast((line) => line.startsWith("error: "))?.slice("error: ".length) ?? lines.at(-1)!;
    throw new CheckpointError(
      "VERIFY_FAILED",
      `${folder} could not be checked in a fresh process, which ended with ${status}: ${reason}`,
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

function ended(
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number | string; readonly said: unknown; readonly stderr: string }> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [...args], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      windowsHide: true,
      ...(signal === undefined ? {} : { signal }),
    });
    let said: unknown;
    let stderr = "";
    child.on("message", (message) => (said = message));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (error) => fail(signal?.aborted === true ? (signal.reason as Error) : error));
    child.on("close", (status, killedBy) => done({ status: status ?? killedBy ?? "nothing", said, stderr }));
  });
}
