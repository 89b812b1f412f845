import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "@milliner/core";
import { errorCode } from "@milliner/data";

/** The folder in which run folders are made that nobody named. */
export const runsFolder = "runs";

/**
 * Where a run goes when nobody says: `runs/NAME-seed-N`, or the first free of `runs/NAME-seed-N-2`, `-3`, ... To resume it is
 * the newest of them, which is the one with the largest number.
 */
export async function defaultRunFolder(
  name: string,
  seed: number,
  resume: boolean,
  folder: string = runsFolder,
): Promise<string> {
  const stem = `${name}-seed-${seed}`;
  const taken = (await list(folder)).flatMap((entry) => {
    if (entry === stem) return [1];
    const number = entry.startsWith(`${stem}-`) ? entry.slice(stem.length + 1) : "";
    return /^[1-9]\d{0,8}$/.test(number) ? [Number(number)] : [];
  });
  const newest = Math.max(0, ...taken);
  const number = resume ? Math.max(1, newest) : newest + 1;
  return join(folder, number === 1 ? stem : `${stem}-${number}`);
}

/**
 * Why a folder is not that of a run: it is not there, or no folder; where it holds those of several, as `train --seeds` makes them,
 * which they are.
 * @param lack - what it has not
 */
export async function notARun(folder: string, lack: string, cause?: unknown): Promise<CheckpointError> {
  const status = await stat(folder).catch(() => undefined);
  if (status === undefined) {
    return new CheckpointError("NOT_A_RUN", `${folder} does not exist; check the path`, { cause });
  }
  if (!status.isDirectory()) {
    return new CheckpointError("NOT_A_RUN", `${folder} is not a folder; name the run's folder`, { cause });
  }
  const entries = await readdir(folder).catch(() => []);
  const runs = entries.filter((entry) => existsSync(join(folder, entry, "run.yaml"))).toSorted(byNumber);
  const more = runs.length > mostNamed ? ` and ${runs.length - mostNamed} more` : "";
  const sentence =
    runs.length === 0
      ? `${folder} is not the folder of a run: ${lack}`
      : `${folder} holds the runs ${runs.slice(0, mostNamed).join(", ")}${more}; name one, such as ${join(folder, runs[0]!)}`;
  return new CheckpointError("NOT_A_RUN", sentence, { cause });
}

const mostNamed = 8;
const byNumber = new Intl.Collator("en", { numeric: true }).compare;

async function list(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const code = errorCode(cause) ?? "unknown error";
    if (code === "ENOENT") return [];
    throw new CheckpointError(
      "READ_FAILED",
      `${folder} cannot be read (${code}); choose a folder with --out`,
      { cause },
    );
  }
}
