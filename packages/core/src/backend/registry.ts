import { noteCopy } from "../copies.ts";
import { ConfigError, NativeError } from "../errors.ts";
import { checkKeys } from "../option-keys.ts";
import { printable } from "../printable.ts";
import type { Backend, Precision } from "./backend.ts";
import { bf16Backend, cpuBackend, refusedThreads, setCpuThreads } from "./cpu.ts";
import { referenceBackend } from "./reference.ts";

/** What a user can ask for by name. */
export type DeviceName = "cpu" | "cuda" | "reference";

/** How `selectBackend` chooses. */
export interface BackendOptions {
  /** What fully connected products are computed in; default `float32`. */
  readonly precision?: Precision | undefined;
  /** Hears one sentence when something stands in for what was asked for; default a process warning. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Every backend that works on this machine in float32, the fastest first; the reference always does. */
export function availableBackends(): readonly Backend[] {
  const { backend } = cpuBackend();
  return backend === null ? [referenceBackend] : [backend, referenceBackend];
}

/**
 * The backend to compute on. A device asked for by name is that one or an error; without a name it is the native kernels,
 * or the reference, which is some hundred times slower, with a warning where they do not load. With `precision: "bf16"` the
 * products of fully connected layers are computed in bf16 where this machine has AMX; where it has not they are float32,
 * with a warning that says why, and the backend's `precision` is then `float32`.
 *
 * @param options - or only its `onWarning`
 * @throws NativeError (`DEVICE_UNAVAILABLE`) when the named device is not there, (`BAD_ENVIRONMENT`) when `MILLINER_ISA`,
 *   `MILLINER_THREADS` or `MILLINER_BF16` asks for what this machine does not do; ConfigError (`BAD_VALUE`) when there is no
 *   such device or precision
 */
export function selectBackend(
  device?: DeviceName,
  options: BackendOptions | ((message: string) => void) = {},
): Backend {
  const given: BackendOptions = typeof options === "function" ? { onWarning: options } : options;
  checkKeys("selectBackend", given, { precision: true, onWarning: true });
  noteCopy();
  const { precision = "float32", onWarning } = given;
  const warn = warningsTo(onWarning);
  const backend = inFloat32(device, warn);
  switch (precision) {
    case "float32":
      return backend;
    case "bf16": {
      const found =
        backend.name === "cpu" ? bf16Backend() : { backend: null, reason: "only the cpu kernels have it" };
      if (found.backend !== null) return found.backend;
      warn(`computing in float32 and not in bf16, because ${found.reason}`, "MILLINER_FLOAT32");
      return backend;
    }
    default:
      precision satisfies never;
      throw new ConfigError(
        "BAD_VALUE",
        `there is no precision "${String(precision)}"; take float32 or bf16`,
      );
  }
}

type Warn = (message: string, code: string) => void;

function warningsTo(onWarning: ((message: string) => void) | undefined): Warn {
  return (message, code) =>
    onWarning === undefined ? process.emitWarning(printable(message), { code }) : onWarning(message);
}

function warnOfRefusedThreads(warn: Warn): void {
  const refused = refusedThreads();
  if (refused !== null) warn(refused, "MILLINER_THREADS");
}

function inFloat32(device: DeviceName | undefined, warn: Warn): Backend {
  switch (device) {
    case "reference":
      return referenceBackend;
    case "cuda":
      throw new NativeError("DEVICE_UNAVAILABLE", "this version has no kernels for cuda; take --device cpu");
    case "cpu":
    case undefined: {
      const cpu = cpuBackend();
      if (cpu.backend !== null) {
        warnOfRefusedThreads(warn);
        return cpu.backend;
      }
      if (cpu.misconfigured) throw new NativeError("BAD_ENVIRONMENT", cpu.reason);
      // An instruction set that was named is one asked for, as a device is: other bits in its place would surprise.
      if (device === "cpu" || (process.env["MILLINER_ISA"] ?? "") !== "")
        throw new NativeError("DEVICE_UNAVAILABLE", `the cpu kernels are not here: ${cpu.reason}`);
      warn(`computing on the slow TypeScript reference, because ${cpu.reason}`, "MILLINER_REFERENCE");
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
 * Threads that kernels may use, the caller's included. Results have the same bits for any number. Where the system refuses to
 * start one, as many are used as could be started, with a warning.
 *
 * @param onWarning - hears that sentence; default a process warning
 * @throws ConfigError when it is not a whole number from 1 to 1024
 */
export function setThreads(count: number, onWarning?: (message: string) => void): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > 1024) {
    throw new ConfigError(
      "BAD_VALUE",
      `the number of threads is a whole number from 1 to 1024, not ${count}`,
    );
  }
  setCpuThreads(count);
  warnOfRefusedThreads(warningsTo(onWarning));
}
