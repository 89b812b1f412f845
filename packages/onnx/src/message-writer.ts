import { types } from "node:util";
import { ConfigError } from "@milliner/core";

/** What one protobuf message may hold: lengths are signed 32-bit numbers in the readers. */
export const protobufLimitBytes: number = 2 ** 31 - 1;

/** Bytes of a known length that are made when they are needed. */
export interface Payload {
  readonly length: number;
  make(): Uint8Array;
}

/**
 * A protobuf message being written: parts in order, and their length. Weights are kept as views, or made one at a time,
 * and copied once, by `finish`, so writing a model needs the memory of its file and of its largest convolution. The
 * caller adds fields in ascending number and every field by hand, which is what makes the bytes the same every time.
 */
export class MessageWriter {
  readonly #parts: (Uint8Array | Payload)[] = [];
  #size = 0;

  /** Bytes that `finish` would return. */
  get size(): number {
    return this.#size;
  }

  #append(part: Uint8Array | Payload): void {
    this.#parts.push(part);
    this.#size += part.length;
  }

  /** A whole number of wire type 0; a negative one takes ten bytes, as int64 does. */
  integer(field: number, value: number): this {
    this.#append(
      Uint8Array.from([...varint(BigInt(field) << 3n), ...varint(BigInt.asUintN(64, BigInt(value)))]),
    );
    return this;
  }

  string(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  /** A view: `payload` must not change before `finish`. */
  bytes(field: number, payload: Uint8Array): this {
    this.#header(field, payload.length);
    this.#append(payload);
    return this;
  }

  /** Bytes that are made when `finish` comes to them, and forgotten behind it. */
  payload(field: number, payload: Payload): this {
    this.#header(field, payload.length);
    this.#append(payload);
    return this;
  }

  /** A message inside this one; what is added to `inner` later is not seen. */
  message(field: number, inner: MessageWriter): this {
    this.#header(field, inner.#size);
    // No spread: a graph of a million nodes has more parts than a call may have arguments.
    for (const part of inner.#parts) this.#append(part);
    return this;
  }

  #header(field: number, length: number): void {
    this.#append(Uint8Array.from([...varint((BigInt(field) << 3n) | 2n), ...varint(BigInt(length))]));
  }

  /**
   * The message's bytes; the caller owns them.
   * @throws ConfigError MODEL_TOO_LARGE from 2 GiB on
   */
  finish(): Uint8Array {
    checkMessageSize(this.#size);
    const result = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      result.set(types.isUint8Array(part) ? part : part.make(), at);
      at += part.length;
    }
    return result;
  }
}

/** @throws ConfigError MODEL_TOO_LARGE when `bytes` do not fit into one protobuf message */
export function checkMessageSize(bytes: number): void {
  if (bytes <= protobufLimitBytes) return;
  throw new ConfigError(
    "MODEL_TOO_LARGE",
    `the model takes at least ${bytes} bytes, but one ONNX file holds at most ${protobufLimitBytes}; prune it further, ` +
      "because weights in a file beside the model are not written yet",
  );
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}
