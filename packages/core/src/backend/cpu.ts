import { loadAddon, type Addon } from "@milliner/native";
import type { Backend } from "./backend.ts";

/** The native kernels as this process found them, for people who want to know what runs. */
export type CpuStatus =
  | {
      readonly available: true;
      /** Path of the addon. */
      readonly addon: string;
      /** Instruction set in use. */
      readonly isa: string;
      /** Why that one. */
      readonly reason: string;
      /** All that this machine can run, best first. */
      readonly instructionSets: readonly string[];
      readonly threads: number;
    }
  | { readonly available: false; /** Why there are none, and what to do. */ readonly reason: string };

type Loaded =
  | { readonly backend: Backend; readonly addon: Addon; readonly path: string }
  | { readonly backend: null; readonly reason: string };

let loaded: Loaded | undefined;

// Loading is left to the first use: importing this package has no side effects.
function load(): Loaded {
  if (loaded !== undefined) return loaded;
  const found = loadAddon();
  if (found.addon === null) return (loaded = { backend: null, reason: found.reason });
  const { addon, path } = found;
  const backend: Backend = {
    name: "cpu",
    exact: true,
    kernels: addon,
    allocate: (bytes) => addon.allocate(bytes),
  };
  return (loaded = { backend, addon, path });
}

/** The backend of the native kernels, or why there is none. The same object each time. */
export function cpuBackend():
  | { readonly backend: Backend }
  | { readonly backend: null; readonly reason: string } {
  return load();
}

/** Which native kernels are in use and why, or why there are none. */
export function cpuStatus(): CpuStatus {
  const found = load();
  if (found.backend === null) return { available: false, reason: found.reason };
  const { name, reason, available } = found.addon.isa();
  return {
    available: true,
    addon: found.path,
    isa: name,
    reason,
    instructionSets: available,
    threads: found.addon.threads(),
  };
}

/** Passes the number of threads to the native kernels, if they are there. */
export function setCpuThreads(count: number): void {
  const found = load();
  if (found.backend !== null) found.addon.setThreads(count);
}
