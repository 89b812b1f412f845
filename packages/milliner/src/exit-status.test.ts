import { CheckpointError, ConfigError, NumericError } from "@milliner/core";
import { BrokenPromiseError, type RunResult } from "@milliner/continual";
import { DataError } from "@milliner/data";
import { OnnxError } from "@milliner/onnx";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { exitStatus, Failed, Interrupted, isForUser } from "./exit-status.ts";

test.each([
  [0, new CommanderError(0, "commander.helpDisplayed", "(help)")],
  [1, new NumericError("NON_FINITE_LOSS", "")],
  [1, new Failed("")],
  [1, new CheckpointError("DISK_FULL", "")],
  [1, new CheckpointError("VERIFY_FAILED", "")],
  [1, new BrokenPromiseError("PROMISE_BROKEN", "", {} as RunResult)],
  [1, new OnnxError("RUNTIME_FAILED", "")],
  [1, new TypeError("ours")],
  [1, "a text"],
  [2, new CommanderError(1, "commander.unknownCommand", "")],
  [2, new ConfigError("UNKNOWN_KEY", "")],
  [2, new DataError("FILE_MISSING", "")],
  [2, new OnnxError("RUNTIME_MISSING", "")],
  [130, new Interrupted("SIGINT")],
  [143, new Interrupted("SIGTERM")],
])("a command ends with %i for %s", (status, error) => {
  expect(exitStatus(error)).toBe(status);
});

test("only errors with a code of ours are told as sentences for the user", () => {
  expect(isForUser(new DataError("FILE_MISSING", ""))).toBe(true);
  expect(isForUser(Object.assign(new Error("a system's"), { code: "ENOENT" }))).toBe(false);
});
