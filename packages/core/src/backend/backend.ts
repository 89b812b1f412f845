import type { Addon } from "@milliner/native";

/**
 * What the products of fully connected layers are computed in. `bf16` rounds their factors to 8 bits and sums them in
 * float32; weights, and everything that is stored, are float32 all the same.
 */
export type Precision = "float32" | "bf16";

/**
 * The kernels that every backend has, under the names, shapes and orders of summation that `Addon` documents. They take
 * plain views, allocate nothing and know no tensor; arguments have been checked by the operations above them.
 */
export type Kernels = Omit<
  Addon,
  "abi" | "isa" | "bf16" | "threads" | "setThreads" | "allocate" | "free" | `bf16${string}`
>;

/**
 * Where tensors live and who computes. A backend is stateless to its callers: no stream, no graph, no cache that could
 * change a result. Two backends promise the same bits if both say so in `exact`; all promise the bounds of the
 * conformance suite (`@milliner/core/testing`).
 */
export interface Backend {
  readonly name: "reference" | "cpu";
  /** Whether products follow the single-chain rule bit for bit. The TypeScript reference has no fma and promises a bound. */
  readonly exact: boolean;
  /** What its fully connected products are computed in; their bound is that of the conformance suite. */
  readonly precision: Precision;
  /**
   * Whether a product keeps its bits when terms that are exactly zero are left out of it. Only then does a gathered part of a
   * network (`Plan`, `compact`) give the bits of the whole; elsewhere what has to keep its bits is computed whole, always.
   */
  readonly gatheringKeepsBits: boolean;
  readonly kernels: Kernels;
  /** Zeroed memory for at least `bytes` bytes, 64-byte aligned where the backend can. */
  allocate(bytes: number): ArrayBuffer;
  /** Gives memory of `allocate` back to the system, of which no view is used any more. Without it the collector does, in time. */
  free?(buffer: ArrayBuffer): void;
}
