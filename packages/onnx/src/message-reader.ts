import { limits } from "./limits.ts";
import { OnnxError } from "./onnx-error.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** 2^29 - 1, the largest number of a field: three bits of the 32 are the wire type. */
const largestField = 536_870_911;

/**
 * A cursor over the fields of one protobuf message that trusts nothing: `next` steps to a field and proves that it ends
 * inside this message before anybody reads it. It copies and allocates nothing; messages inside are views. Groups (wire
 * types 3 and 4), which ONNX never has, are refused.
 */
export class MessageReader {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  /** Where this message begins in the file, for error messages. */
  readonly #origin: number;
  readonly #depth: number;
  #at = 0;
  #field = 0;
  #wireType = 0;
  #start = 0;
  #end = 0;

  /** @param file - name of the file, for error messages */
  constructor(file: string, bytes: Uint8Array, origin: number = 0, depth: number = 1) {
    this.#file = file;
    this.#bytes = bytes;
    this.#origin = origin;
    this.#depth = depth;
  }

  /** Number of the field that `next` found. */
  get field(): number {
    return this.#field;
  }

  /** Steps to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    const key = this.#varint();
    const field = Math.floor(key / 8);
    if (field < 1 || field > largestField) this.fail("BAD_FIELD", `has a field of number ${field}`);
    this.#field = field;
    this.#wireType = key % 8;
    this.#start = this.#at;
    switch (this.#wireType) {
      case 0:
        this.#varint();
        break;
      case 1:
        this.#take(8);
        break;
      case 2: {
        const length = this.#varint();
        this.#start = this.#at;
        this.#take(length);
        break;
      }
      case 5:
        this.#take(4);
        break;
      default:
        this.fail(
          "BAD_WIRE_TYPE",
          `has a field ${field} of wire type ${this.#wireType}, which ONNX does not use`,
        );
    }
    this.#end = this.#at;
    return true;
  }

  /** The field as a signed 64-bit number. */
  integer(): bigint {
    this.#expect(0, "a number");
    let value = 0n;
    for (let at = this.#start, shift = 0n; at < this.#end; at++, shift += 7n) {
      value |= BigInt(this.#bytes[at]! & 0x7f) << shift;
    }
    return BigInt.asIntN(64, value);
  }

  /** The field as a count, a size or a small number: from 0 up, and exact. */
  count(what: string): number {
    const value = this.integer();
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
      this.fail("BAD_DIMENSION", `gives ${value} as ${what}, which must be from 0 to 2^53 - 1`);
    }
    return Number(value);
  }

  /** The field's payload: a view. */
  bytes(): Uint8Array {
    this.#expect(2, "bytes");
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** The field as UTF-8 text of at most `most` bytes. */
  text(what: string, most: number = limits.nameBytes): string {
    const bytes = this.bytes();
    if (bytes.length > most)
      this.limit("TOO_LONG", `has ${what} of ${bytes.length} bytes, and at most ${most} are read`);
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      return this.fail("BAD_UTF8", `has ${what} that is not UTF-8`, cause);
    }
  }

  /** The field as a message of its own. */
  message(): MessageReader {
    const bytes = this.bytes();
    if (this.#depth >= limits.depth) this.limit("TOO_DEEP", `nests messages more than ${limits.depth} deep`);
    return new MessageReader(this.#file, bytes, this.#origin + this.#start, this.#depth + 1);
  }

  /** How many fixed numbers of `bytes` bytes a repeated field holds here, packed or one alone. */
  countFixed(bytes: 4 | 8): number {
    if (this.#wireType === (bytes === 4 ? 5 : 1)) return 1;
    const { length } = this.bytes();
    if (length % bytes !== 0)
      this.fail("SIZE_MISMATCH", `packs numbers of ${bytes} bytes into ${length} bytes`);
    return length / bytes;
  }

  /** How many varints a repeated field holds here, packed or one alone. */
  countVarints(): number {
    if (this.#wireType === 0) return 1;
    const packed = new MessageReader(this.#file, this.bytes(), this.#origin + this.#start);
    let count = 0;
    while (packed.#at < packed.#bytes.length) {
      packed.#varint();
      count++;
    }
    return count;
  }

  /** Calls `visit` with each whole number of a repeated field, packed or one alone. */
  eachInteger(visit: (value: bigint) => void): void {
    if (this.#wireType === 0) {
      visit(this.integer());
      return;
    }
    const packed = new MessageReader(this.#file, this.bytes(), this.#origin + this.#start);
    while (packed.#at < packed.#bytes.length) {
      packed.#start = packed.#at;
      packed.#varint();
      packed.#end = packed.#at;
      visit(packed.integer());
    }
  }

  /** Refuses a file that no sound writer makes: "FILE at byte N WHAT". */
  fail(code: string, what: string, cause?: unknown): never {
    const message = `${this.#place} ${what}; it is damaged, or made to harm`;
    throw new OnnxError(code, message, cause === undefined ? undefined : { cause });
  }

  /** Refuses a file that may be sound: "FILE at byte N WHAT". */
  limit(code: string, what: string): never {
    const message = `${this.#place} ${what}; that is a limit of this reader, the model itself may be sound`;
    throw new OnnxError(code, message);
  }

  get #place(): string {
    return `${this.#file} at byte ${this.#origin + this.#start}`;
  }

  /**
   * Lengths are checked from the outside in, so the message of the whole file is the one that a file cut short does not fill. At its
   * first byte nothing says yet that it is a model at all.
   */
  #endEarly(what: string): never {
    if (this.#origin > 0 || this.#start === 0) this.fail("TRUNCATED", what);
    const message = `${this.#place} ${what}: the file ends early, or is damaged; fetch it again`;
    throw new OnnxError("TRUNCATED", message);
  }

  #expect(wireType: number, what: string): void {
    if (this.#wireType === wireType) return;
    this.fail(
      "BAD_WIRE_TYPE",
      `has wire type ${this.#wireType} in field ${this.#field}, which holds ${what}`,
    );
  }

  #take(length: number): void {
    const left = this.#bytes.length - this.#at;
    if (length > left) this.#endEarly(`promises ${length} bytes where its message has ${left} left`);
    this.#at += length;
  }

  /** Steps over a varint. What it returns is exact up to 2^53, and too large for anything wherever it is not. */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let length = 1; ; length++) {
      if (this.#at >= this.#bytes.length) this.#endEarly("ends within a number");
      const byte = this.#bytes[this.#at++]!;
      // The tenth byte holds the highest of 64 bits.
      if (length === 10 && byte > 1) this.fail("BAD_VARINT", "has a number of more than 64 bits");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }
}
