import { expect, test } from "vitest";
import { NativeError } from "../errors.ts";
import { cpuBackend, cpuStatus } from "./cpu.ts";
import { referenceBackend } from "./reference.ts";
import { availableBackends, selectBackend, setThreads } from "./registry.ts";

// The addon is loaded at the first use, and this file is a process of its own.
process.env["MILLINER_NATIVE"] = "/nowhere/milliner.node";
delete process.env["MILLINER_ISA"]; // of kernels that are not there it asks too much

test("where the native kernels are missing, the reference stands in with one sentence that says why", () => {
  const warnings: string[] = [];

  const backend = selectBackend(undefined, (message) => warnings.push(message));

  expect(backend).toBe(referenceBackend);
  expect(warnings).toEqual([expect.stringMatching(/slow TypeScript reference.*\/nowhere\/milliner\.node/)]);
  expect(availableBackends()).toEqual([referenceBackend]);
});

test("asked for by name they are an error that says what to do", () => {
  expect(() => selectBackend("cpu")).toThrow(NativeError);
  expect(() => selectBackend("cpu")).toThrow(
    expect.objectContaining({
      code: "DEVICE_UNAVAILABLE",
      message: expect.stringContaining("/nowhere/milliner.node"),
    }),
  );
  expect(cpuBackend()).toMatchObject({ backend: null });
  expect(cpuStatus()).toMatchObject({ available: false, reason: expect.stringContaining("MILLINER_NATIVE") });
});

test("the number of threads may be set all the same", () => {
  expect(() => setThreads(2)).not.toThrow();
});
