import { CheckpointError } from "@milliner/core";
import { isWhole } from "./whole-number.ts";

/**
 * A JSON object that was read from a file, narrowed field by field: what a file claims is not believed. Every complaint is a
 * CheckpointError (`BAD_VALUE`) that names the place and the field.
 */
export class StoredJson {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #where: string;

  /** @param where - what messages call it, such as a file's path */
  constructor(value: unknown, where: string) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw new CheckpointError(
        "BAD_VALUE",
        `${where} is not a JSON object; the file is damaged or not milliner's`,
      );
    }
    // A map, because `__proto__` and `constructor` are ordinary names in a file.
    this.#fields = new Map(Object.entries(value));
    this.#where = where;
  }

  get keys(): readonly string[] {
    return [...this.#fields.keys()];
  }

  value(key: string): unknown {
    if (!this.#fields.has(key)) throw new CheckpointError("BAD_VALUE", `${this.#where} has no "${key}"`);
    return this.#fields.get(key);
  }

  /** A whole number from 0 up. */
  whole(key: string): number {
    const value = this.value(key);
    return isWhole(value, 0) ? value : this.#refuse(key, "a whole number");
  }

  /** A finite number: JSON's 1e999 would be Infinity. */
  number(key: string): number {
    const value = this.value(key);
    return Number.isFinite(value) ? (value as number) : this.#refuse(key, "a finite number");
  }

  /** A number from 0 to 1, such as an accuracy. */
  share(key: string): number {
    const value = this.number(key);
    return value >= 0 && value <= 1 ? value : this.#refuse(key, "from 0 to 1");
  }

  string(key: string): string {
    const value = this.value(key);
    return typeof value === "string" ? value : this.#refuse(key, "a text");
  }

  boolean(key: string): boolean {
    const value = this.value(key);
    return typeof value === "boolean" ? value : this.#refuse(key, "true or false");
  }

  /** What `read` makes of the field, or null where the field is. */
  nullable<T>(key: string, read: (key: string) => T): T | null {
    return this.value(key) === null ? null : read(key);
  }

  object(key: string): StoredJson {
    return new StoredJson(this.value(key), `"${key}" of ${this.#where}`);
  }

  /** A list, each entry given to `read` as an object with the one field "value". */
  list<T>(key: string, read: (entry: StoredJson) => T): readonly T[] {
    const value = this.value(key);
    if (!Array.isArray(value)) return this.#refuse(key, "a list");
    return (value as unknown[]).map((entry, i) =>
      read(new StoredJson({ value: entry }, `"${key}[${i}]" of ${this.#where}`)),
    );
  }

  #refuse(key: string, wanted: string): never {
    const found = brief(this.#fields.get(key));
    throw new CheckpointError("BAD_VALUE", `"${key}" of ${this.#where} should be ${wanted}, not ${found}`);
  }
}

/** A few characters to recognise a value by, however long or deep it is, without what a terminal would obey. */
export function brief(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "bigint") return `${value}n, a BigInt`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
