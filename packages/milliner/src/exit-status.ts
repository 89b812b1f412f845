import { MillinerError, NumericError } from "@milliner/core";
import { CommanderError } from "commander";

/** Somebody pressed Ctrl-C, or the process was told to end. */
export class Interrupted extends Error {
  readonly signal: "SIGINT" | "SIGTERM";

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signal}`);
    this.name = "Interrupted";
    this.signal = signal;
  }
}

/** A command ran to its end and found what should not be: its output has been printed. */
export class Failed extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Failed";
  }
}

/**
 * The status that a process ends with for an error: 2 for what the user can put right before trying again, 1 for a run that
 * failed and for our own mistakes, 128 + number for a signal, as shells do.
 */
export function exitStatus(error: unknown): number {
  if (error instanceof Interrupted) return error.signal === "SIGINT" ? 130 : 143;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Failed || error instanceof NumericError) return 1;
  return isForUser(error) && !failures.has(error.code) ? 2 : 1;
}

/** Nothing was wrong with what was asked for; it went wrong on the way. */
const failures: ReadonlySet<string> = new Set([
  "DISK_FULL",
  "PROMISE_BROKEN",
  "VERIFY_FAILED",
  "RUNTIME_FAILED",
]);

/**
 * Whether an error's message is one sentence for the person who has to fix it. `DataError` lies below core and does not extend
 * `MillinerError`; it has the same shape.
 */
export function isForUser(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof MillinerError ||
    (error instanceof Error && error.name === "DataError" && "code" in error)
  );
}
