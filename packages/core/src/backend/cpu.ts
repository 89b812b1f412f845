import { loadAddon, type Addon } from "@milliner/native";
import type { Backend, Kernels } from "./backend.ts";

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
      /** Threads that compute. */
      readonly threads: number;
      /** Threads that were asked for: more than `threads` where the system refused to start them. */
      readonly threadsAsked: number;
      /** What computes products in bf16: the processor's tiles or, for tests, emulated ones; null: nothing, and why. */
      readonly bf16: { readonly tiles: "amx" | "emulated" | null; readonly reason: string };
    }
  | { readonly available: false; /** Why there are none, and what to do. */ readonly reason: string };

type Loaded =
  | { readonly backend: Backend; readonly bf16: Backend; readonly addon: Addon; readonly path: string }
  | MissingBackend;

/** Why there are no native kernels. */
interface MissingBackend {
  readonly backend: null;
  readonly reason: string;
  /** They are here, and a variable of the environment asks for what they cannot do. */
  readonly misconfigured: boolean;
}

let loaded: Loaded | undefined;

// Loading is left to the first use: importing this package has no side effects.
function load(): Loaded {
  if (loaded !== undefined) return loaded;
  const found = loadAddon();
  if (found.addon === null)
    return (loaded = { backend: null, reason: found.reason, misconfigured: found.misconfigured });
  const { addon, path } = found;
  const backend: Backend = {
    name: "cpu",
    exact: true,
    precision: "float32",
    gatheringKeepsBits: true,
    kernels: addon,
    allocate: (bytes) => addon.allocate(bytes),
    free: (buffer) => addon.free(buffer),
  };
  const bf16: Backend = {
    ...backend,
    exact: false,
    precision: "bf16",
    gatheringKeepsBits: false, // even and odd terms have a sum each, and 32 of both come together: places decide
    kernels: inBf16(addon),
  };
  return (loaded = { backend, bf16, addon, path });
}

// Everything but the products of fully connected layers is float32, and so is what a product reads and writes.
function inBf16(addon: Addon): Kernels {
  return {
    ...addon,
    linearForward: addon.bf16LinearForward,
    linearInputGradient: addon.bf16LinearInputGradient,
    linearWeightGradient: addon.bf16LinearWeightGradient,
    linearWeightUpdate: addon.bf16LinearWeightUpdate,
    linearWeightMomentum: addon.bf16LinearWeightMomentum,
    linearWeightAdam: addon.bf16LinearWeightAdam,
  };
}

/** The backend of the native kernels, or why there is none. The same object each time. */
export function cpuBackend(): { readonly backend: Backend } | MissingBackend {
  return load();
}

/** The backend of the native kernels with products in bf16, or why there is none. The same object each time. */
export function bf16Backend():
  | { readonly backend: Backend }
  | { readonly backend: null; readonly reason: string } {
  const found = load();
  if (found.backend === null) return found;
  const { tiles, reason } = found.addon.bf16();
  return tiles === null ? { backend: null, reason } : { backend: found.bf16 };
}

/** Which native kernels are in use and why, or why there are none. */
export function cpuStatus(): CpuStatus {
  const found = load();
  if (found.backend === null) return { available: false, reason: found.reason };
  const { name, reason, available } = found.addon.isa();
  const { running, asked } = found.addon.threads();
  return {
    available: true,
    addon: found.path,
    isa: name,
    reason,
    instructionSets: available,
    threads: running,
    threadsAsked: asked,
    bf16: found.addon.bf16(),
  };
}

/** Passes the number of threads to the native kernels, if they are there. */
export function setCpuThreads(count: number): void {
  const found = load();
  if (found.backend !== null) found.addon.setThreads(count);
}

let told = 0;

/** One sentence where the system refused threads that were asked for, once for a number of them; else null. */
export function refusedThreads(): string | null {
  const status = cpuStatus();
  if (!status.available || status.threads === status.threadsAsked || status.threadsAsked === told)
    return null;
  told = status.threadsAsked;
  return (
    `computing on ${status.threads} of the ${told} threads that were asked for: the system starts no more of them ` +
    "(a limit on processes or memory); results are the same"
  );
}
