import { cpuStatus, selectBackend, setThreads, type Backend, type DeviceName } from "@milliner/core";

/** What computes, ready to be used. */
export interface Device {
  readonly backend: Backend;
  /** Instruction set of the kernels; null for the reference. */
  readonly isa: string | null;
  readonly threads: number;
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
 * Chooses what computes.
 * @throws NativeError (`DEVICE_UNAVAILABLE`) when a device asked for by name is not there; ConfigError (`BAD_VALUE`)
 */
export function openDevice(options: DeviceOptions, onWarning: (message: string) => void): Device {
  const backend = selectBackend(options.device, onWarning);
  if (options.threads !== undefined) setThreads(options.threads);
  const status = cpuStatus();
  const isCpu = backend.name === "cpu" && status.available;
  return { backend, isa: isCpu ? status.isa : null, threads: isCpu ? status.threads : 1 };
}
