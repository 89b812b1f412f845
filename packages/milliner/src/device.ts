import {
  ConfigError,
  cpuStatus,
  selectBackend,
  setThreads,
  type Backend,
  type DeviceName,
  type Precision,
} from "@milliner/core";

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

/** With what a run was begun, as its `run.yaml` notes it. */
interface Begun {
  readonly device: Backend["name"];
  readonly precision: Precision;
}

/**
 * Chooses what goes on with a run or evaluates it: its own device, unless told otherwise, in its own precision. A task is
 * evaluated through the mode in which it was finished, so nothing stands in for bf16 here.
 * @throws as `openDevice`; ConfigError (`OTHER_PRECISION`) when the run's precision is not there
 */
export function openDeviceOf(
  run: string,
  begun: Begun,
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

/** What computes, for people: `cpu (avx2, 2 threads)`. */
export function deviceText({ backend, isa, threads }: Device): string {
  if (isa === null) return backend.name;
  return `${backend.name} (${[isa, ...fastMode(backend.precision), `${threads} threads`].join(", ")})`;
}

/** The precision where it is not the usual one. */
export function fastMode(precision: Precision): readonly string[] {
  return precision === "float32" ? [] : [precision];
}
