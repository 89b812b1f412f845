import { CheckpointError, ConfigError, NumericError } from "@milliner/core";
import { BrokenPromiseError, type RunResult } from "@milliner/continual";
import { DataError } from "@milliner/data";
import { OnnxError } from "@milliner/onnx";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { exitStatus, Failed, failureOf, Interrupted, isForUser } from "./exit-status.ts";

test.each([
  [0, new CommanderError(0, "commander.helpDisplayed", "(help)")],
  [1, new NumericError("NON_FINITE_LOSS", "")],
  [1, new Failed("EXPORT_DIFFERS", "")],
  [1, new CheckpointError("VERIFY_FAILED", "")],
  [1, new BrokenPromiseError("PROMISE_BROKEN", "", {} as RunResult)],
  [1, new OnnxError("RUNTIME_FAILED", "")],
  [1, new TypeError("ours")],
  [1, "a text"],
  [2, new CommanderError(1, "commander.unknownCommand", "")],
  [2, new ConfigError("UNKNOWN_KEY", "")],
  [2, new DataError("FILE_MISSING", "")],
  [2, new OnnxError("RUNTIME_MISSING", "")],
  [2, new DataError("CHECKSUM_MISMATCH", "")],
  [2, new DataError("DOWNLOAD_FAILED", "")],
  [75, new ConfigError("RUN_LOCKED", "")],
  [75, new CheckpointError("DISK_FULL", "")],
  [2, new CheckpointError("FILE_SIZE_LIMIT", "")],
  [75, new DataError("DISK_FULL", "")],
  [75, new DataError("DOWNLOAD_INTERRUPTED", "")],
  [129, new Interrupted("SIGHUP")],
  [130, new Interrupted("SIGINT")],
  [143, new Interrupted("SIGTERM")],
])("a command ends with %i for %s", (status, error) => {
  expect(exitStatus(error)).toBe(status);
});

test("only errors with a code of ours are told as sentences for the user", () => {
  expect(isForUser(new DataError("FILE_MISSING", ""))).toBe(true);
  expect(isForUser(Object.assign(new Error("a system's"), { code: "ENOENT" }))).toBe(false);
});

test.each([
  [
    new ConfigError("RUN_LOCKED", "x is in use"),
    { name: "ConfigError", code: "RUN_LOCKED", message: "x is in use", retry: true },
  ],
  [
    new CommanderError(1, "commander.unknownOption", "error: unknown option '--x'\n(Did you mean --y?)"),
    { name: "UsageError", code: "USAGE", message: "unknown option '--x'", retry: false },
  ],
  [
    new Failed("EXPORT_DIFFERS", "it differs"),
    { name: "Failed", code: "EXPORT_DIFFERS", message: "it differs", retry: false },
  ],
  [
    new Interrupted("SIGTERM"),
    { name: "Interrupted", code: "SIGTERM", message: "interrupted by SIGTERM", retry: false },
  ],
  [
    new TypeError("x is not a function"),
    {
      name: "TypeError",
      code: "INTERNAL",
      message: "x is not a function (a mistake of milliner's own; --debug shows where)",
      retry: false,
    },
  ],
])("a program is told %s by name, code, sentence, and whether to try again", (error, told) => {
  expect(failureOf(error)).toEqual(told);
});
