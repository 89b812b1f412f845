import type { Backend } from "../../backend/backend.ts";

/** One claim about a backend. `check` throws an `Error` with numbers when it does not hold. */
export interface ConformanceCase {
  readonly name: string;
  readonly check: () => void;
}

/** Claims by name, each checked on a backend. */
export type Claims = Readonly<Record<string, (backend: Backend) => void>>;
