import { CheckpointError } from "@milliner/core";

// Far more than any network's description has, and far less than the stack that JSON.stringify needs.
const deepest = 256;

/**
 * A copy of `value` that is what a file will give back.
 *
 * @param what - what messages call the value
 * @throws CheckpointError (`BAD_VALUE`) for what JSON would change or drop without a word: NaN and the infinities, a Map, a
 *   typed array or another object that is not plain, `undefined`, a hole; and for what it cannot write: a cycle, a BigInt
 */
export function jsonCopy(value: unknown, what: string): unknown {
  visit(value, what, "", 0);
  return JSON.parse(JSON.stringify(value));
}

/**
 * Refuses JSON from a file that is nested so deep that handling it would overflow the stack.
 * @throws CheckpointError (`BAD_VALUE`)
 */
export function checkDepth(file: unknown, path: string): void {
  const descend = (value: unknown, depth: number): void => {
    if (value === null || typeof value !== "object") return;
    if (depth === deepest) throw tooDeep(path);
    for (const part of Object.values(value)) descend(part, depth + 1);
  };
  descend(file, -2); // what `jsonCopy` has let through lies two levels down in its file
}

function visit(value: unknown, what: string, key: string, depth: number): void {
  if (typeof value === "number" && !Number.isFinite(value)) throw lost(what, String(value), key);
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return;
  if (depth === deepest) throw tooDeep(what); // cycles end here too
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) visit(value[i], what, String(i), depth + 1);
  } else if (isPlain(value)) {
    for (const [name, part] of Object.entries(value)) visit(part, what, name, depth + 1);
  } else {
    throw lost(what, Object.prototype.toString.call(value), key);
  }
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Not `Object.prototype`: a value may come from another realm, which has its own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function lost(what: string, found: string, key: string): CheckpointError {
  const place = key === "" ? "" : ` (in "${key}")`;
  return new CheckpointError(
    "BAD_VALUE",
    `${what} holds ${found}${place}, which JSON cannot keep; save it as plain values, or as an array`,
  );
}

function tooDeep(what: string): CheckpointError {
  return new CheckpointError(
    "BAD_VALUE",
    `${what} is nested deeper than ${deepest} levels, which no checkpoint holds`,
  );
}
