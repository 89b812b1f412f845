import { expect, test } from "vitest";
import { ConfigError, NativeError } from "../errors.ts";
import { cpuBackend } from "./cpu.ts";
import { referenceBackend } from "./reference.ts";
import { availableBackends, selectBackend, setThreads, type DeviceName } from "./registry.ts";

test("without a name the fastest that is here is taken, without a warning if it is native", () => {
  const warnings: string[] = [];

  const backend = selectBackend(undefined, (message) => warnings.push(message));

  expect(backend).toBe(availableBackends()[0]);
  expect(warnings.length).toBe(cpuBackend().backend === null ? 1 : 0);
});

test("the reference is always here, last, and asked for by name it comes without a warning", () => {
  const warnings: string[] = [];

  expect(availableBackends().at(-1)).toBe(referenceBackend);
  expect(selectBackend("reference", (message) => warnings.push(message))).toBe(referenceBackend);
  expect(warnings).toEqual([]);
});

test("a device that is not here is an error and never another device", () => {
  expect(() => selectBackend("cuda")).toThrow(NativeError);
  expect(() => selectBackend("cuda")).toThrow(
    expect.objectContaining({ code: "DEVICE_UNAVAILABLE", message: expect.stringContaining("cuda") }),
  );
});

test("a device that does not exist is refused by name", () => {
  expect(() => selectBackend("tpu" as DeviceName)).toThrow(ConfigError);
  expect(() => selectBackend("tpu" as DeviceName)).toThrow(/"tpu".*cpu, cuda or reference/);
});

test("a number of threads that makes no sense is refused with it", () => {
  for (const count of [0, -1, 1.5, NaN, 1025]) {
    expect(() => setThreads(count)).toThrow(
      expect.objectContaining({ name: "ConfigError", message: expect.stringContaining(`not ${count}`) }),
    );
  }
});
