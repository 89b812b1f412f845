import { readlinkSync } from "node:fs";

/**
 * Which numbering of processes this one is in: containers may share a machine's name, and each numbers its own. Null where
 * the system has one numbering, or does not say.
 */
export function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}
