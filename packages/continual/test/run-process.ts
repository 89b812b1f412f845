import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCheckpoint } from "../src/checkpoint.ts";
import { CheckpointFolder } from "../src/run-folder.ts";

/** `run-process.mjs`, which a thread can run too. */
export const program = fileURLToPath(new URL("run-process.mjs", import.meta.url));

/** How a process ended, and the JSON that it printed last. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: unknown;
  readonly stderr: string;
}

/** A process of `run-process.mjs`. */
export interface RunProcess {
  readonly child: ChildProcess;
  /** Resolves when so many of the run's events have happened, or the process has ended before. */
  readonly events: (count: number) => Promise<void>;
  readonly ended: Promise<Ended>;
}

/** @param limitBlocks - no file of the process may be larger, in units of 512 bytes (`ulimit -f` of a POSIX shell) */
export function start(
  command: "run" | "leave" | "verify",
  folder: string,
  limitBlocks: number | null = null,
): RunProcess {
  const args = [program, command, folder];
  // The limit's signal would end the process; ignored, writing fails with EFBIG.
  const limited = ["-c", `trap '' XFSZ; ulimit -f ${limitBlocks}; exec "$0" "$@"`, process.execPath, ...args];
  const child =
    limitBlocks === null
      ? spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
      : spawn("sh", limited, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const events = (count: number): Promise<void> =>
    new Promise((done) => {
      const look = (): void => (stdout.split('"event"\n').length > count ? done() : undefined);
      child.stdout!.on("data", look);
      child.on("close", () => done());
      look();
    });
  const ended = new Promise<Ended>((done, fail) => {
    child.on("error", fail);
    child.on("close", (status, signal) => {
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      done({ status, signal, said: last === "" ? null : JSON.parse(last), stderr });
    });
  });
  return { child, events, ended };
}

/** The value without the clock's readings, which no two runs share. */
export function timeless(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, part) => (/^(seconds|time)$/.test(key) ? undefined : part)));
}

/** All that a run leaves behind and that has to be the same to the bit: result, events, arrays of the last checkpoints. */
export async function legacy(folder: string): Promise<unknown> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const arrays = async (control: string | null): Promise<unknown> => {
    const checkpoints = new CheckpointFolder(folder, control);
    const { snapshot } = await readCheckpoint(checkpoints.file({ task: 2, epoch: null }));
    return [...snapshot.arrays].map(([name, { data }]) => [
      name,
      Buffer.from(data.buffer).toString("base64"),
    ]);
  };
  return {
    result: timeless(JSON.parse(await read("result.json"))),
    events: (await read("events.jsonl"))
      .trimEnd()
      .split("\n")
      .map((line) => timeless(JSON.parse(line))),
    method: await arrays(null),
    control: await arrays("sgd-frozen"),
  };
}

/** Reads every checkpoint that has its name, whole. */
export async function readAll(folder: string): Promise<number> {
  let count = 0;
  for (const control of [null, "sgd-frozen"]) {
    const checkpoints = new CheckpointFolder(folder, control);
    for (const place of await checkpoints.places()) {
      await readCheckpoint(checkpoints.file(place));
      count += 1;
    }
  }
  return count;
}
