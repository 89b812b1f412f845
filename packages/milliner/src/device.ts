import {
  ConfigError,
  cpuStatus,
  selectBackend,
  setThreads,
  type Backend,
  type DeviceName,
  type Precision,
} from "@milliner/core";
import { counted } from "./counted.ts";

/** What computes, ready to be used. */
export interface Device {
  readonly backend: Backend;
  /** Instruction set of the kernels; null for the reference. */
  readonly isa: string | null;
  readonly threads: number;
}

/** What computed a run, as `run.yaml` notes it. */
export interface DeviceUsed {
  readonly device: Backend["name"];
  /** Instruction set of the kernels; null for the reference. */
  readonly isa: string | null;
  readonly threads: number;
  /** What fully connected products were computed in: the setting, or float32 where that was not there. */
  readonly precision: Precision;
}

/** What computes may be chosen by these. */
export interface DeviceOptions {
  /** Default: the native kernels, or the slow reference with a warning where they do not load. */
  readonly device?: DeviceName | undefined;
  /**
   * Default: as it is, at first `MILLINER_THREADS`, or the processors that affinity and the container's quota leave to this
   * process. No bit of a result depends on it.
   */
  readonly threads?: number | undefined;
}

/**
 * Chooses what computes. Where bf16 is asked for and not there it is float32, with a warning.
 * @throws NativeError, ConfigError as `selectBackend` and `setThreads`
 */
export function openDevice(
  options: DeviceOptions & { readonly precision?: Precision },
  onWarning: (message: string) => void,
): Device {
  // The number comes first: nobody waits for, or is warned of, threads that were not asked for.
  if (options.threads !== undefined) setThreads(options.threads, onWarning);
  const backend = selectBackend(options.device, { precision: options.precision, onWarning });
  const status = cpuStatus();
  const isCpu = backend.name === "cpu" && status.available;
  return { backend, isa: isCpu ? status.isa : null, threads: isCpu ? status.threads : 1 };
}

/**
 * Chooses what goes on with a run or evaluates it: its own device, unless told otherwise, in its own precision. A task is
 * evaluated through the mode in which it was finished, so nothing stands in for bf16 here.
 * @throws as `openDevice`; ConfigError (`OTHER_PRECISION`) when the run's precision is not there
 */
export function openDeviceOf(
  run: string,
  begun: Pick<DeviceUsed, "device" | "precision">,
  { device = begun.device, threads }: DeviceOptions,
  onWarning: (message: string) => void,
): Device {
  const warnings: string[] = [];
  const opened = openDevice({ device, threads, precision: begun.precision }, (text) => warnings.push(text));
  if (opened.backend.precision !== begun.precision) {
    const [, reason = "it is not here"] = /because (.*)$/.exec(warnings.at(-1) ?? "") ?? [];
    throw new ConfigError(
      "OTHER_PRECISION",
      `${run} was trained in ${begun.precision}, and its tasks keep their bits in that only: ${reason}; ` +
        `take a machine that computes in ${begun.precision}`,
    );
  }
  warnings.forEach(onWarning);
  return opened;
}

export function deviceUsed({ backend, isa, threads }: Device): DeviceUsed {
  return { device: backend.name, isa, threads, precision: backend.precision };
}

/** What computes, for people: `cpu (avx2, 2 threads)`. */
export function deviceText({ device, isa, threads, precision }: DeviceUsed): string {
  if (isa === null) return device;
  return `${device} (${[isa, ...fastMode(precision), counted(threads, "thread")].join(", ")})`;
}

/** The precision where it is not the usual one. */
export function fastMode(precision: Precision): readonly string[] {
  return precision === "float32" ? [] : [precision];
}
