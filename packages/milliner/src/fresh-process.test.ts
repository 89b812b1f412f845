import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selectBackend } from "@milliner/core";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { preload } from "../test/command-process.ts";
import type { Device } from "./device.ts";
import { verifyInFreshProcess, type FreshProcessOptions } from "./fresh-process.ts";

const folder = mkdtempSync(join(tmpdir(), "milliner fresh process "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());
const hasSignals = process.platform !== "win32"; // there a process that is ended so has a status
const device: Device = { backend: selectBackend("reference"), isa: null, threads: 1 };

/** What comes of the check where Node loads `program` before it. */
async function checkedWhere(name: string, program: string, options?: FreshProcessOptions): Promise<unknown> {
  vi.stubEnv("NODE_OPTIONS", preload(folder, name, program).NODE_OPTIONS);
  return await verifyInFreshProcess(folder, null, device, options).catch((error: unknown) => error);
}

test("a process that never says its first word is ended, and is one that could not be started", async () => {
  const program = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";

  const error = await checkedWhere("asleep", program, { firstWordSeconds: 0.5 });

  expect(error).toMatchObject({
    name: "CheckpointError",
    code: "NO_FRESH_PROCESS",
    message: expect.stringMatching(
      /could be started .*\(no word from it within 0\.5 seconds\).*limit on processes/,
    ),
  });
});

test.runIf(hasSignals)(
  "one that a signal ends before its first word could not be started, and the signal is named",
  async () => {
    expect(await checkedWhere("aborted", "process.abort();")).toMatchObject({
      code: "NO_FRESH_PROCESS",
      message: expect.stringContaining("(SIGABRT)"),
    });
  },
);

test("one that ends before its first word with words that are not the command's could not be started", async () => {
  const program = `require("node:fs").writeSync(2, "node: error while loading libssl"); process.exit(127);`;

  expect(await checkedWhere("another", program)).toMatchObject({
    code: "NO_FRESH_PROCESS",
    message: expect.stringContaining("(it ended with 127: node: error while loading libssl)"),
  });
});

test("one that ends by an error that nobody caught is told of by that error, not by the last line that Node writes", async () => {
  expect(await checkedWhere("uncaught", `throw new TypeError("no such flag");`)).toMatchObject({
    code: "NO_FRESH_PROCESS",
    message: expect.stringContaining("(it ended with 1: TypeError: no such flag)"),
  });
});

test.runIf(hasSignals)(
  "one that a signal ends after its first word is a check that failed, with a reason behind the colon",
  async () => {
    const program = `process.send("started", () => process.kill(process.pid, "SIGKILL"));`;

    expect(await checkedWhere("killed", program)).toMatchObject({
      code: "VERIFY_FAILED",
      message: expect.stringMatching(/which ended with SIGKILL: it said nothing$/),
    });
  },
);

test("one that finds no run to check has failed, with its own sentence", async () => {
  expect(await checkedWhere("sound", "")).toMatchObject({
    code: "VERIFY_FAILED",
    message: expect.stringMatching(/which ended with 2: .*run\.yaml/),
  });
});
