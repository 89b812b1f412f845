import { ConfigError, NativeError } from "../errors.ts";
import type { Backend } from "./backend.ts";
import { cpuBackend, setCpuThreads } from "./cpu.ts";
import { referenceBackend } from "./reference.ts";

/** What a user can ask for by name. */
export type DeviceName = "cpu" | "cuda" | "reference";

/** Every backend that works on this machine, the fastest first; the reference always does. */
export function availableBackends(): readonly Backend[] {
  const { backend } = cpuBackend();
  return backend === null ? [referenceBackend] : [backend, referenceBackend];
}

/**
 * The backend to compute on. Asked for by name, it is that one or an error; without a name it is the native kernels, or the
 * reference, which is some hundred times slower, with a warning where they do not load.
 *
 * @param onWarning - hears one sentence when the reference stands in; default a process warning
 * @throws NativeError (`DEVICE_UNAVAILABLE`) when the named device, or the instruction set in `MILLINER_ISA`, is not there
 */
export function selectBackend(
  device?: DeviceName,
  onWarning: (message: string) => void = (message) =>
    process.emitWarning(message, { code: "MILLINER_REFERENCE" }),
): Backend {
  switch (device) {
    case "reference":
      return referenceBackend;
    case "cuda":
      throw new NativeError("DEVICE_UNAVAILABLE", "this version has no kernels for cuda; take --device cpu");
    case "cpu":
    case undefined: {
      const cpu = cpuBackend();
      if (cpu.backend !== null) return cpu.backend;
      // An instruction set that was named is one asked for, as a device is: other bits in its place would surprise.
      if (device === "cpu" || (process.env["MILLINER_ISA"] ?? "") !== "")
        throw new NativeError("DEVICE_UNAVAILABLE", `the cpu kernels are not here: ${cpu.reason}`);
      onWarning(`computing on the slow TypeScript reference, because ${cpu.reason}`);
      return referenceBackend;
    }
    default:
      device satisfies never;
      throw new ConfigError(
        "BAD_VALUE",
        `there is no device "${String(device)}"; take cpu, cuda or reference`,
      );
  }
}

/**
 * Threads that kernels may use, the caller's included. Results have the same bits for any number.
 * @throws ConfigError when it is not a whole number from 1 to 1024
 */
export function setThreads(count: number): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > 1024) {
    throw new ConfigError(
      "BAD_VALUE",
      `the number of threads is a whole number from 1 to 1024, not ${count}`,
    );
  }
  setCpuThreads(count);
}
