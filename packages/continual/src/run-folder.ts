import { readdir, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { CheckpointError, ConfigError } from "@milliner/core";
import { asideSuffix, errorCode } from "@milliner/data";
import { makeFolder, writeFileAtomically } from "./atomic-file.ts";
import { checkOutFolder, type OutKind } from "./out-folder.ts";
import { lockName, lockRun, type RunLock } from "./run-lock.ts";

/** Where in a run a checkpoint was written: at the end of a task, or within it. */
export interface CheckpointPlace {
  readonly task: number;
  /** Position among the checkpoints within the task, 1 up; null at its end. */
  readonly epoch: number | null;
}

/**
 * The checkpoints of one learner: `task-003.json` and `.safetensors` at the end of task 3, `task-003.epoch-0007.json` and
 * `.safetensors` within it. The method's lie in `checkpoints/`, a control's in `checkpoints/NAME/`.
 */
export class CheckpointFolder {
  readonly path: string;
  readonly #run: string;

  /** @param control - name of a control, null for the method */
  constructor(run: string, control: string | null = null) {
    this.#run = resolve(run);
    this.path = join(this.#run, "checkpoints", ...(control === null ? [] : [control]));
  }

  /** Path of a checkpoint's JSON file. */
  file({ task, epoch }: CheckpointPlace): string {
    const end = epoch === null ? "" : `.epoch-${String(epoch).padStart(4, "0")}`;
    return join(this.path, `task-${String(task).padStart(3, "0")}${end}.json`);
  }

  /** The same, as seen from the run's folder and with "/": what events and people are told. */
  label(place: CheckpointPlace): string {
    return relative(this.#run, this.file(place)).replaceAll("\\", "/");
  }

  /** What is there, newest first. */
  async places(): Promise<readonly CheckpointPlace[]> {
    const names = await list(this.path);
    const places = names.flatMap((name): CheckpointPlace[] => {
      const match = /^task-(\d{3,9})(?:\.epoch-(\d{4,9}))?\.json$/.exec(name);
      return match === null
        ? []
        : [{ task: Number(match[1]), epoch: match[2] === undefined ? null : Number(match[2]) }];
    });
    return places.sort((a, b) => b.task - a.task || (b.epoch ?? Infinity) - (a.epoch ?? Infinity));
  }

  /** Removes checkpoints; one that is not there is removed already. Its JSON goes first: without it the rest does not count. */
  async remove(places: readonly CheckpointPlace[]): Promise<void> {
    for (const place of places) {
      const json = this.file(place);
      await rm(json, { force: true });
      await rm(json.replace(/\.json$/, ".safetensors"), { force: true });
    }
  }

  /** Makes the folder, and clears it of what a killed run left: files half-written, and arrays whose JSON never came. */
  async prepare(): Promise<void> {
    await makeFolder(this.path);
    const names = await list(this.path);
    for (const name of names) {
      const isHalf =
        name.endsWith(asideSuffix) ||
        (/^task-\d{3,9}(\.epoch-\d{4,9})?\.safetensors$/.test(name) &&
          !names.includes(name.replace(/\.safetensors$/, ".json")));
      if (isHalf) await rm(join(this.path, name), { force: true });
    }
  }
}

async function list(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return [];
    throw new CheckpointError("READ_FAILED", `${path} cannot be read (${code ?? "unknown error"})`, {
      cause: error,
    });
  }
}

/** A run's folder, owned by this thread until `close`. */
export class RunFolder {
  readonly path: string;
  readonly #lock: RunLock;

  private constructor(path: string, lock: RunLock) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the folder if need be, and takes it.
   *
   * @param resume - whether a run may be there already
   * @throws ConfigError (`RUN_LOCKED`) when another run owns it; (`RUN_EXISTS`) when it holds a run and `resume` is false; (`OTHER_FILES`) when it
   *   holds other things
   * @throws CheckpointError (`WRITE_FAILED`, `DISK_FULL`, `FILE_SIZE_LIMIT`)
   */
  static async open(given: string, resume: boolean): Promise<RunFolder> {
    const path = resolve(given); // once: the process may change its folder while it runs
    await checkOutFolder(path, runOut);
    await makeFolder(path);
    const folder = new RunFolder(path, await lockRun(path));
    try {
      const places = await folder.checkpoints(null).places();
      if (!resume && (places.length > 0 || (await list(path)).includes(resultName))) {
        throw new ConfigError(
          "RUN_EXISTS",
          `${path} holds a run already; go on with it (--resume, in code resume: true), or choose another folder`,
        );
      }
      return folder;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  get events(): string {
    return eventsFile(this.path);
  }

  /** The checkpoints of the method (null), or of a control by its name. */
  checkpoints(control: string | null): CheckpointFolder {
    return new CheckpointFolder(this.path, control);
  }

  async writeResult(result: object): Promise<void> {
    await writeFileAtomically(resultFile(this.path), `${JSON.stringify(result, null, 1)}\n`);
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }
}

const resultName = "result.json";
const eventsName = "events.jsonl";
const ownNames: ReadonlySet<string> = new Set([
  resultName,
  eventsName,
  lockName,
  "checkpoints",
  "run.yaml",
  "report.html",
  "onnx",
]);
const runOut: OutKind = {
  what: "a run",
  example: "run",
  isOwn: (name) => ownNames.has(name) || name.startsWith(`${lockName}.`),
  signs: [eventsName, lockName],
};

/** Path of a run's result. */
export function resultFile(run: string): string {
  return join(run, resultName);
}

/** Path of a run's events. */
export function eventsFile(run: string): string {
  return join(run, eventsName);
}
