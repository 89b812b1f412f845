import { renameSync, writeFileSync } from "node:fs";
import { CheckpointError } from "@milliner/core";
import { runFilePath, runFileText, type RunFile } from "./run-file.ts";

/**
 * Writes `run.yaml` at a run's first event: by then the runner owns the folder, and before it another run may. A run that is
 * resumed keeps what it has. Listeners must not throw, so a failure stops the run through a signal.
 */
export class RunFileOnce {
  readonly #controller = new AbortController();
  readonly #file: RunFile;
  readonly #path: string;
  #isDone: boolean;

  /** @param isResumed - whether the folder has its `run.yaml`; else what lies there is of a run that came to nothing */
  constructor(file: RunFile, folder: string, isResumed: boolean) {
    this.#file = file;
    this.#path = runFilePath(folder);
    this.#isDone = isResumed;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  write(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      writeFileSync(`${this.#path}.part`, runFileText(this.#file));
      renameSync(`${this.#path}.part`, this.#path);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
      this.#controller.abort(
        new CheckpointError(
          "WRITE_FAILED",
          `${this.#path} cannot be written (${code}); free some space, or choose another folder`,
          {
            cause,
          },
        ),
      );
    }
  }
}
