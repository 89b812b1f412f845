import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, type } from "node:os";

/** What a figure depends on and a reader cannot see. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly isa: string;
  readonly isaReason: string;
  /** Of the last minute, before the start: other work on the machine. */
  readonly loadAverage: number;
  /** What the peer says of itself, null without one. */
  readonly peer: unknown;
  /** Largest sample of the run, one thread; null when the loop could not be compiled. */
  readonly fmaPeakGflops: number | null;
}

/** Describes this machine. */
export function describeMachine(
  isa: { readonly name: string; readonly reason: string },
  measured: Pick<Machine, "peer" | "fmaPeakGflops" | "loadAverage">,
): Machine {
  return {
    cpu: cpuName(),
    cores: availableParallelism(),
    system: `${type()} ${release()}`,
    node: process.version,
    isa: isa.name,
    isaReason: isa.reason,
    ...measured,
  };
}

/** Load average of the last minute. */
export function currentLoad(): number {
  return loadavg()[0]!;
}

// Virtual machines give many processors one marketing name; family and model tell their cores apart.
function cpuName(): string {
  const name = cpus()[0]?.model.trim() ?? "unknown";
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    const field = (key: string): string | undefined =>
      new RegExp(`^${key}\\s*:\\s*(.+)$`, "m").exec(text)?.[1];
    const [family, model] = [field("cpu family"), field("model")];
    return family === undefined || model === undefined ? name : `${name} (family ${family}, model ${model})`;
  } catch {
    return name;
  }
}
