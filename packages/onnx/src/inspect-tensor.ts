import { limits } from "./limits.ts";
import type { MessageReader } from "./message-reader.ts";
import { elementTypes, entryField, sparseTensorField, tensorField, type ElementType } from "./schema.ts";

/** A tensor whose data lies in another file, as the model says; that file has not been looked at. */
export interface ExternalData {
  readonly tensor: string;
  /** Path as the model gives it. Hostile until proven otherwise, even where `insideFolder` is true: links lead anywhere. */
  readonly location: string;
  readonly offset: number;
  /** Bytes, where the model says how many. */
  readonly length: number | undefined;
  /** Whether `location` is a relative path without `..`, drive letter, backslash or NUL. */
  readonly insideFolder: boolean;
}

/** What the summary needs of a tensor. */
export interface TensorSummary {
  readonly elements: number;
  readonly external: ExternalData | undefined;
}

/** Reads a TensorProto: its sizes are checked against the bytes that are there, and its data is never touched. */
export function readTensor(reader: MessageReader): TensorSummary {
  const shape: bigint[] = [];
  const counts = { float: 0, int32: 0, int64: 0, double: 0, uint64: 0, strings: 0 };
  const entries = new Map<string, string>();
  let [name, typeNumber, rawBytes, isExternal] = ["", 0, -1, false];
  while (reader.next()) {
    switch (reader.field) {
      case tensorField.dims:
        reader.eachInteger((size) => addDimension(reader, shape, size));
        break;
      case tensorField.dataType:
        typeNumber = reader.count("the type of elements");
        break;
      case tensorField.name:
        name = reader.text("a name of a tensor");
        break;
      case tensorField.rawData:
        rawBytes = reader.bytes().length;
        break;
      case tensorField.floatData:
        counts.float += reader.countFixed(4);
        break;
      case tensorField.doubleData:
        counts.double += reader.countFixed(8);
        break;
      case tensorField.int32Data:
        counts.int32 += reader.countVarints();
        break;
      case tensorField.int64Data:
        counts.int64 += reader.countVarints();
        break;
      case tensorField.uint64Data:
        counts.uint64 += reader.countVarints();
        break;
      case tensorField.stringData:
        reader.bytes();
        counts.strings++;
        break;
      case tensorField.externalData:
        addEntry(reader, entries, "external data");
        break;
      case tensorField.dataLocation: {
        const location = reader.count("the place of the data");
        if (location > 1) reader.fail("BAD_EXTERNAL_DATA", `keeps data in a place of number ${location}`);
        isExternal = location === 1;
        break;
      }
    }
  }
  const type = elementTypes.get(typeNumber);
  if (type === undefined) {
    // The format gains types with its versions; 0 is none in all of them.
    if (typeNumber === 0) return reader.fail("BAD_TYPE", "has a tensor of no type");
    return reader.limit("BAD_TYPE", `has a tensor of unknown type ${typeNumber}`);
  }
  const elements = product(reader, shape);
  const bytes = Math.ceil((elements * type.bits) / 8);
  if (isExternal) return { elements, external: externalData(reader, name, entries, bytes) };

  const { field, count } = typedData(type, elements);
  const present = Object.entries(counts).filter(([, n]) => n > 0);
  if (rawBytes >= 0 && field !== "strings") {
    if (rawBytes !== bytes || present.length > 0) {
      reader.fail(
        "SIZE_MISMATCH",
        `has ${rawBytes} bytes of data for ${elements} elements of ${type.name}, which take ${bytes}`,
      );
    }
  } else if (rawBytes > 0 || counts[field] !== count || present.some(([other]) => other !== field)) {
    reader.fail(
      "SIZE_MISMATCH",
      `has ${counts[field]} numbers for ${elements} elements of ${type.name}, which are ${count}`,
    );
  }
  return { elements, external: undefined };
}

/** Reads a SparseTensorProto; its elements are the values that are stored. */
export function readSparseTensor(reader: MessageReader): readonly TensorSummary[] {
  const shape: bigint[] = [];
  const parts: TensorSummary[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case sparseTensorField.values:
        parts.push(readTensor(reader.message()));
        break;
      case sparseTensorField.indices:
        parts.push({ ...readTensor(reader.message()), elements: 0 });
        break;
      case sparseTensorField.dims:
        reader.eachInteger((size) => addDimension(reader, shape, size));
        break;
    }
    if (parts.length > 2)
      reader.fail("REPEATED", "has a sparse tensor with more than its values and indices");
  }
  product(reader, shape);
  return parts;
}

/** Reads a StringStringEntryProto into a Map, where `__proto__` is a key like any other. */
export function addEntry(reader: MessageReader, into: Map<string, string>, what: string): void {
  const entry = reader.message();
  let [key, value] = ["", ""];
  while (entry.next()) {
    if (entry.field === entryField.key) key = entry.text(`a key of ${what}`);
    else if (entry.field === entryField.value) value = entry.text(`a value of ${what}`, limits.textBytes);
  }
  if (into.has(key) && into.get(key) !== value)
    reader.fail("REPEATED", `gives the key ${JSON.stringify(key)} of ${what} twice, with two values`);
  if (into.size >= limits.entries)
    reader.limit("TOO_MANY", `has more than ${limits.entries} entries of ${what}`);
  into.set(key, value);
}

function addDimension(reader: MessageReader, shape: bigint[], size: bigint): void {
  if (size < 0n) reader.fail("BAD_DIMENSION", `has a dimension of ${size}`);
  if (shape.length >= limits.rank)
    reader.limit("BAD_DIMENSION", `has a tensor of more than ${limits.rank} dimensions`);
  shape.push(size);
}

/** Elements of a shape, exact: the product is made of whole numbers without a bound, then held to 2^53. */
function product(reader: MessageReader, shape: readonly bigint[]): number {
  const elements = shape.reduce((count, size) => count * size, 1n);
  if (elements > BigInt(Number.MAX_SAFE_INTEGER)) {
    reader.fail("BAD_DIMENSION", `has a tensor of [${shape.join(", ")}] elements, which is more than 2^53`);
  }
  return Number(elements);
}

/** Which list holds the elements of a type when they are not raw bytes, and how many numbers it then has. */
function typedData(
  type: ElementType,
  elements: number,
): { field: "float" | "int32" | "int64" | "double" | "uint64" | "strings"; count: number } {
  switch (type.name) {
    case "float32":
      return { field: "float", count: elements };
    case "complex64":
      return { field: "float", count: 2 * elements };
    case "float64":
      return { field: "double", count: elements };
    case "complex128":
      return { field: "double", count: 2 * elements };
    case "int64":
      return { field: "int64", count: elements };
    case "uint32":
    case "uint64":
      return { field: "uint64", count: elements };
    case "string":
      return { field: "strings", count: elements };
    default:
      // Elements of less than a byte lie together in one number.
      return { field: "int32", count: type.bits < 8 ? Math.ceil((elements * type.bits) / 8) : elements };
  }
}

function externalData(
  reader: MessageReader,
  tensor: string,
  entries: ReadonlyMap<string, string>,
  bytes: number,
): ExternalData {
  const location = entries.get("location");
  if (location === undefined || location === "") {
    return reader.fail("BAD_EXTERNAL_DATA", "keeps a tensor in another file and does not say which");
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
    return reader.fail(
      "BAD_EXTERNAL_DATA",
      `gives ${JSON.stringify(text.slice(0, 40))} as ${key} in another file`,
    );
  };
  const length = number("length");
  if (length !== undefined && length !== bytes) {
    reader.fail("SIZE_MISMATCH", `takes ${length} bytes of another file for a tensor of ${bytes} bytes`);
  }
  const insideFolder = !/^[/~]|[\\\0]|^[A-Za-z]:/.test(location) && !location.split("/").includes("..");
  return { tensor, location, offset: number("offset") ?? 0, length, insideFolder };
}
