import { CheckpointError } from "@milliner/core";

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
    return Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : this.#refuse(key, "a whole number");
  }

  number(key: string): number {
    const value = this.value(key);
    return typeof value === "number" ? value : this.#refuse(key, "a number");
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
    // A few characters are enough to recognise what is there.
    const found = (JSON.stringify(this.#fields.get(key)) ?? "nothing").slice(0, 40);
    throw new CheckpointError("BAD_VALUE", `"${key}" of ${this.#where} should be ${wanted}, not ${found}`);
  }
}
