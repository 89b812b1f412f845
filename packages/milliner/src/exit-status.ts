import { types } from "node:util";
import { MillinerError, NumericError, printable } from "@milliner/core";
import { CommanderError } from "commander";

/** Signals that ask a process to end, and the status that shells give it then: 128 + number. */
export const endingSignals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type EndingSignal = keyof typeof endingSignals;

/** Somebody pressed Ctrl-C, the terminal was closed, or the process was told to end. */
export class Interrupted extends Error {
  readonly signal: EndingSignal;
  /** Told twice: what would still be finished is given up. */
  readonly atOnce: boolean;

  constructor(signal: EndingSignal, atOnce = false) {
    super(`interrupted by ${signal}`);
    this.name = "Interrupted";
    this.signal = signal;
    this.atOnce = atOnce;
  }
}

/** A command ran to its end and found what should not be: its output is said already. */
export class Failed extends Error {
  readonly code: string;
  readonly status: number;

  constructor(
    code: string,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    const { status = 1, ...rest } = options;
    super(printable(message), rest);
    this.name = "Failed";
    this.code = code;
    this.status = status;
  }
}

/** `EX_TEMPFAIL` of sysexits.h: the same command is right later. */
export const tryAgainStatus = 75;

/**
 * The status that a process ends with for an error: 75 (`EX_TEMPFAIL`) where the same command is right later, 2 for what the user
 * can put right before trying again, 1 for a run that failed and for our own mistakes, 128 + number for a signal, as shells do.
 */
export function exitStatus(error: unknown): number {
  if (error instanceof Interrupted) return endingSignals[error.signal];
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Failed) return error.status;
  if (error instanceof NumericError || !isForUser(error)) return 1;
  return passing.has(error.code) ? tryAgainStatus : failures.has(error.code) ? 1 : 2;
}

/** Nothing is wrong with what was asked for, and nobody has to change it: a run in use, a full disk, a network that failed. */
const passing: ReadonlySet<string> = new Set(["RUN_LOCKED", "DISK_FULL", "DOWNLOAD_INTERRUPTED"]);

/** Nothing was wrong with what was asked for; it went wrong on the way. */
const failures: ReadonlySet<string> = new Set(["PROMISE_BROKEN", "VERIFY_FAILED", "RUNTIME_FAILED"]);

/**
 * Whether an error's message is one sentence for the person who has to fix it. `DataError` lies below core and does not extend
 * `MillinerError`; it has the same shape.
 */
export function isForUser(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof MillinerError ||
    (types.isNativeError(error) && error.name === "DataError" && "code" in error)
  );
}

/** An error as `--json` tells it. */
export interface Failure {
  readonly name: string;
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  /** Whether the same command may well succeed later, with nothing changed: status 75. */
  readonly retry: boolean;
}

/** What an error says to a program. */
export function failureOf(error: unknown): Failure {
  const retry = exitStatus(error) === tryAgainStatus;
  const message = sentence(error);
  if (error instanceof CommanderError) return { name: "UsageError", code: "USAGE", message, retry };
  if (error instanceof Interrupted) return { name: error.name, code: error.signal, message, retry };
  if (error instanceof Failed || isForUser(error))
    return { name: error.name, code: error.code, message, retry };
  return { name: types.isNativeError(error) ? error.name : "Error", code: "INTERNAL", message, retry };
}

/** What an error says to a person: one line, without "error:" before it. */
export function sentence(error: unknown): string {
  if (!types.isNativeError(error)) return String(error);
  const message = error.message.split("\n")[0]!.replace(/^error: /, "");
  const isKnown =
    isForUser(error) ||
    error instanceof Failed ||
    error instanceof Interrupted ||
    error instanceof CommanderError;
  return isKnown ? message : `${message} (a mistake of milliner's own; --debug shows where)`;
}
