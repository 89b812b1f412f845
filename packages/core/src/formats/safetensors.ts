import { CheckpointError } from "../errors.ts";
import { largestPieceBytes, pieces } from "../pieces.ts";
import { elements, type Shape } from "../tensor.ts";
import { isTypedArray, type TypedArrayKind } from "../typed-array.ts";
import { findJsonFlaw, type JsonFlaw } from "./json-flaw.ts";

/**
 * The safetensors format: eight bytes with the length of a JSON header, the header, then the arrays without a gap. Made for
 * files from strangers: nothing in it is executed, and every lie that a header can tell is refused before memory is taken.
 *
 * Source: the format's description in the repository huggingface/safetensors.
 */

/** The array that holds elements of each type. Half floats have none in JavaScript: their bits are given. */
export interface SafetensorsArrays {
  readonly BOOL: Uint8Array;
  readonly U8: Uint8Array;
  readonly I8: Int8Array;
  readonly U16: Uint16Array;
  readonly I16: Int16Array;
  readonly F16: Uint16Array;
  readonly BF16: Uint16Array;
  readonly U32: Uint32Array;
  readonly I32: Int32Array;
  readonly F32: Float32Array;
  readonly U64: BigUint64Array;
  readonly I64: BigInt64Array;
  readonly F64: Float64Array;
}

/** Types of elements. */
export type SafetensorsDtype = keyof SafetensorsArrays;

export type SafetensorsData = SafetensorsArrays[SafetensorsDtype];

interface ArrayConstructor<T> {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
}

const arrays: { readonly [D in SafetensorsDtype]: ArrayConstructor<SafetensorsArrays[D]> } = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
};

/** The format's other types: floats of 4, 6 and 8 bits and complex numbers, for which JavaScript has no array. */
const unsupportedDtypes: ReadonlySet<unknown> = new Set([
  "F4",
  "F6_E2M3",
  "F6_E3M2",
  "F8_E4M3",
  "F8_E4M3FNUZ",
  "F8_E5M2",
  "F8_E5M2FNUZ",
  "F8_E8M0",
  "C64",
]);

/** One named array. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: Shape;
  readonly data: SafetensorsData;
}

/** What a file holds. */
export interface SafetensorsFile {
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const lengthBytes = 8;
const metadataKey = "__metadata__";
// The reference implementation's limit.
const largestHeaderBytes = 100_000_000;
const largestDimensions = 32;
// The header, its entries and their lists are three; the rest is room for entries with something of their own.
const largestDepth = 32;

function isDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === "string" && Object.hasOwn(arrays, name);
}

/**
 * Writes arrays as one safetensors file: the pieces of `safetensorsPieces` in one array, which has to hold them.
 *
 * @throws CheckpointError (`BAD_VALUE`) as `safetensorsPieces`
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const parts = safetensorsPieces(tensors, metadata);
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/**
 * A safetensors file of any size, as pieces that follow each other: views of the arrays, behind one of the header. The same
 * arrays and metadata give the same bytes, whatever their order: elements of 8 bytes first, then smaller ones, so that all are
 * aligned; by name within a size.
 *
 * @param metadata - texts by name
 * @param pieceBytes - of the largest piece
 * @throws CheckpointError (`BAD_VALUE`) when a tensor's type, shape and data do not fit, or it is called `__metadata__`
 */
export function safetensorsPieces(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
  pieceBytes: number = largestPieceBytes,
): readonly Uint8Array[] {
  const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  const sorted = [...tensors].sort(
    ([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || byName(a, b),
  );
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) {
    entries.push([
      metadataKey,
      Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => byName(a, b))),
    ]);
  }
  let end = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    if (
      name === metadataKey ||
      !isTypedArray(data, arrays[dtype].name as TypedArrayKind) ||
      data.length !== elements(shape)
    ) {
      throw new CheckpointError(
        "BAD_VALUE",
        `"${name}" cannot be saved as ${dtype} of shape [${shape.join(", ")}] with ${data.length} elements`,
      );
    }
    entries.push([name, { dtype, shape, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(headerJson(entries));
  // Spaces behind the header keep the arrays aligned; the format asks for it.
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(lengthBytes + headerBytes).fill(0x20, lengthBytes + json.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, lengthBytes);
  return [header, ...sorted.map(([, { data }]) => data)].flatMap((part) => [...pieces(part, pieceBytes)]);
}

// Not JSON.stringify of an object: it would move names that look like numbers to the front and lose `__proto__`.
function headerJson(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
}

/**
 * Reads a safetensors file. Arrays are views of `bytes` where they lie in one piece and their place is aligned, copies elsewhere.
 *
 * @param bytes - the file; one larger than an array can be comes in several pieces, in order
 * @param name - what messages call the file
 * @throws CheckpointError (`DAMAGED`) when anything in it is not as the format says: a header that is too long, no JSON or has
 *   a key twice, an unknown type, sizes that do not fit, arrays that overlap, leave holes or end elsewhere than the file;
 *   (`UNSUPPORTED_TYPE`) for floats of 4, 6 or 8 bits and complex numbers
 */
export function readSafetensors(bytes: Uint8Array | readonly Uint8Array[], name: string): SafetensorsFile {
  const file = isTypedArray(bytes, "Uint8Array") ? [bytes] : bytes;
  const size = file.reduce((sum, { length }) => sum + length, 0);
  // Names and texts in a message are the file's: none may move the cursor of a terminal.
  const refuse = (code: string, message: string, cause?: unknown): never => {
    throw new CheckpointError(code, `${name} ${message}`, { cause });
  };
  const damaged = (what: string, cause?: unknown): never =>
    refuse("DAMAGED", `is no sound safetensors file: ${what}`, cause);
  if (size < lengthBytes) damaged(`it has ${size} bytes`);
  const first = part(file, 0, lengthBytes, "U8");
  const claimed = new DataView(first.buffer, first.byteOffset, lengthBytes).getBigUint64(0, true);
  if (claimed > largestHeaderBytes || Number(claimed) > size - lengthBytes) {
    damaged(`its header claims ${claimed} bytes, the file has ${size}`);
  }
  const start = lengthBytes + Number(claimed);
  const header = parseHeader(part(file, lengthBytes, start, "U8"), damaged);

  const metadata = new Map<string, string>();
  const entries: { key: string; dtype: SafetensorsDtype; shape: number[]; from: number; to: number }[] = [];
  for (const [key, value] of header) {
    if (key === metadataKey) {
      if (value === null) continue; // some writers say so that there is none
      for (const [field, text] of objectEntries(value) ?? damaged("its metadata is not an object")) {
        if (typeof text !== "string") {
          return refuse(
            "DAMAGED",
            `holds metadata "${field}" as ${jsonKind(text)}, but metadata are texts only; save it again with the value as a ` +
              `text, in quotation marks`,
          );
        }
        metadata.set(field, text);
      }
      continue;
    }
    const fields = new Map(objectEntries(value) ?? damaged(`entry "${key}" is not an object`));
    const dtype = fields.get("dtype");
    const shape = wholeNumbers(fields.get("shape"));
    const offsets = wholeNumbers(fields.get("data_offsets"));
    if (unsupportedDtypes.has(dtype)) {
      return refuse(
        "UNSUPPORTED_TYPE",
        `holds "${key}" as ${String(dtype)}, which is not supported; convert it to F32 or F16 first`,
      );
    }
    if (!isDtype(dtype)) return damaged(`"${key}" has an unknown type`);
    if (shape === undefined || shape.length > largestDimensions)
      return damaged(`the shape of "${key}" is no shape`);
    const [from, to] = offsets ?? [];
    if (offsets?.length !== 2 || from === undefined || to === undefined)
      return damaged(`"${key}" has no place`);
    // The product in whole numbers of any size: a shape may be made to overflow.
    const expected = shape.reduce(
      (product, dimension) => product * BigInt(dimension),
      BigInt(arrays[dtype].BYTES_PER_ELEMENT),
    );
    if (from > to || BigInt(to - from) !== expected) {
      return damaged(`"${key}" of shape [${shape.join(", ")}] and type ${dtype} lies at ${from} to ${to}`);
    }
    entries.push({ key, dtype, shape, from, to });
  }

  // Stable, so that empty arrays stay in the order of the header.
  entries.sort((a, b) => a.from - b.from || a.to - b.to);
  const tensors = new Map<string, SafetensorsTensor>();
  let end = 0;
  for (const { key, dtype, shape, from, to } of entries) {
    if (from !== end) damaged(`"${key}" begins at ${from}, the array before it ends at ${end}`);
    if (to > size - start) damaged(`"${key}" ends at ${to}, behind the file's end`);
    tensors.set(key, { dtype, shape, data: part(file, start + from, start + to, dtype) });
    end = to;
  }
  if (start + end !== size) damaged(`its arrays have ${end} bytes, the file ${size - start}`);
  return { tensors, metadata };
}

function parseHeader(
  bytes: Uint8Array,
  damaged: (what: string, cause?: unknown) => never,
): [string, unknown][] {
  let [header, flaw]: [unknown, JsonFlaw | undefined] = [undefined, undefined];
  try {
    const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    flaw = findJsonFlaw(json, largestDepth);
    if (flaw === undefined) header = JSON.parse(json);
  } catch (error) {
    return damaged("its header is not JSON", error);
  }
  if (flaw?.kind === "repeated key") damaged(`its header has the key ${JSON.stringify(flaw.key)} twice`);
  if (flaw?.kind === "too deep") damaged(`its header nests deeper than ${flaw.depth}`);
  return objectEntries(header) ?? damaged("its header is not a JSON object");
}

// Entries and not the object: `__proto__` is an ordinary name in a file.
function objectEntries(value: unknown): [string, unknown][] | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.entries(value)
    : undefined;
}

function jsonKind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function wholeNumbers(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list = value as unknown[];
  return list.every((part): part is number => Number.isSafeInteger(part) && (part as number) >= 0)
    ? list
    : undefined;
}

/** The elements from byte `from` to `to` of a file: a view where they lie in one piece, aligned, else a copy. */
function part<D extends SafetensorsDtype>(
  file: readonly Uint8Array[],
  from: number,
  to: number,
  dtype: D,
): SafetensorsArrays[D] {
  const constructor: ArrayConstructor<SafetensorsArrays[D]> = arrays[dtype];
  const length = (to - from) / constructor.BYTES_PER_ELEMENT;
  const found = within(file, from, to);
  const [only = new Uint8Array(0), next] = found;
  if (next === undefined && only.byteOffset % constructor.BYTES_PER_ELEMENT === 0)
    return new constructor(only.buffer as ArrayBuffer, only.byteOffset, length);
  const buffer = new ArrayBuffer(to - from);
  let at = 0;
  for (const piece of found) {
    new Uint8Array(buffer, at, piece.length).set(piece);
    at += piece.length;
  }
  return new constructor(buffer, 0, length);
}

/** What each piece has of the bytes from `from` to `to`. */
function within(file: readonly Uint8Array[], from: number, to: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  let start = 0;
  for (const piece of file) {
    const end = start + piece.length;
    if (end > from && start < to) found.push(piece.subarray(Math.max(0, from - start), to - start));
    start = end;
  }
  return found;
}
