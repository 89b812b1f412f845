import { createHash } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { types } from "node:util";
import {
  CheckpointError,
  elements,
  readSafetensors,
  safetensorsPieces,
  type SafetensorsTensor,
} from "@milliner/core";
import { writeFileAtomically } from "./atomic-file.ts";
import { checkDepth, jsonCopy } from "./checkpoint-json.ts";
import type { CheckpointReader, CheckpointWriter, Learner, StoredArray } from "./learner.ts";
import { readStoredFile, readStoredPieces } from "./stored-file.ts";
import { brief, StoredJson } from "./stored-json.ts";

/** An array of a checkpoint. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: StoredArray;
}

/** Everything that a learner gave to `save`: copies, which later training does not change. */
export interface Snapshot {
  readonly arrays: ReadonlyMap<string, StoredTensor>;
  readonly values: ReadonlyMap<string, unknown>;
}

/** A snapshot as it was found in a file, and what the runner noted beside it. */
export interface StoredCheckpoint {
  readonly snapshot: Snapshot;
  readonly record: unknown;
}

const format = "milliner-checkpoint";
const version = 1;

// Learners keep names, sizes and counters in JSON and everything large in arrays. What is larger is not ours.
const largestJsonBytes = 64 * 1024 * 1024;

/** What `learner` saves, as a copy in memory. */
export async function takeSnapshot(learner: Learner): Promise<Snapshot> {
  const arrays = new Map<string, StoredTensor>();
  const values = new Map<string, unknown>();
  const fresh = (name: string): void => {
    if (arrays.has(name) || values.has(name)) {
      throw new CheckpointError("DUPLICATE_NAME", `learner "${learner.name}" saves "${name}" twice`);
    }
  };
  const writer: CheckpointWriter = {
    array(name, shape, data) {
      fresh(name);
      if (elements(shape) !== data.length) {
        throw new CheckpointError(
          "BAD_VALUE",
          `learner "${learner.name}" saves "${name}" with shape [${shape.join(", ")}] but ${data.length} elements`,
        );
      }
      arrays.set(name, { shape: [...shape], data: data.slice() });
    },
    json(name, value) {
      fresh(name);
      values.set(name, jsonCopy(value, `"${name}" of learner "${learner.name}"`));
    },
  };
  await learner.save(writer);
  return { arrays, values };
}

/** @param where - what messages call the snapshot, such as its file */
export function readerOf(snapshot: Snapshot, where: string): CheckpointReader {
  const missing = (kind: string, name: string): never => {
    throw new CheckpointError(
      "MISSING",
      `${where} has no ${kind} "${name}"; was it written by another method or version?`,
    );
  };
  return {
    has: (name) => snapshot.arrays.has(name) || snapshot.values.has(name),
    array: (name) => snapshot.arrays.get(name) ?? missing("array", name),
    json: (name) => (snapshot.values.has(name) ? snapshot.values.get(name) : missing("value", name)),
  };
}

/**
 * Writes a checkpoint: `NAME.safetensors` with the arrays, then `NAME.json` with the other values, the runner's record and
 * the hash of the arrays. It counts from the moment in which the second has its name.
 *
 * @param path - of the JSON file
 * @param pieceBytes - what is written and hashed at once; default: what every system takes
 */
export async function writeCheckpoint(
  path: string,
  { snapshot, record }: StoredCheckpoint,
  pieceBytes?: number,
): Promise<void> {
  const pieces = safetensorsPieces(
    new Map(
      [...snapshot.arrays].map(
        ([name, { shape, data }]) => [name, { dtype: dtypeOf(data), shape, data }] as const,
      ),
    ),
    { format, version: String(version) },
    pieceBytes,
  );
  const file = `${basename(path, ".json")}.safetensors`;
  await writeFileAtomically(join(dirname(path), file), pieces);
  const arrays = { file, bytes: totalBytes(pieces), sha256: sha256(pieces) };
  await writeHeader(path, { arrays, values: Object.fromEntries(snapshot.values), record });
}

/** Replaces the runner's record of a checkpoint that is there. */
export async function rewriteRecord(path: string, record: unknown): Promise<void> {
  const header = await readHeader(path);
  await writeHeader(path, { arrays: header.value("arrays"), values: header.value("values"), record });
}

async function writeHeader(path: string, body: object): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify({ format, version, ...body }, null, 1)}\n`);
}

async function readHeader(path: string): Promise<StoredJson> {
  const bytes = (await readStoredFile(path, largestJsonBytes)) ?? missingFile(path);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new CheckpointError("DAMAGED", `${path} is not JSON; the file is damaged`, { cause: error });
  }
  checkDepth(value, path);
  const header = new StoredJson(value, path);
  if (header.string("format") !== format)
    throw new CheckpointError("BAD_VALUE", `${path} is not a checkpoint of milliner`);
  if (header.whole("version") !== version) {
    throw new CheckpointError(
      "BAD_VERSION",
      `${path} has version ${header.whole("version")}, this program reads ${version}; use the program that wrote it`,
    );
  }
  return header;
}

/** The runner's record of a checkpoint, without its arrays. */
export async function readRecord(path: string): Promise<unknown> {
  return (await readHeader(path)).value("record");
}

/**
 * Reads a checkpoint, and checks sizes before memory is taken and the hash before anything is believed.
 *
 * @param json - path of the JSON file
 * @param pieceBytes - what is read and hashed at once; default: what every system takes
 * @throws CheckpointError that names the file, when one of the two is missing, damaged or not milliner's
 */
export async function readCheckpoint(json: string, pieceBytes?: number): Promise<StoredCheckpoint> {
  const path = resolve(json);
  const header = await readHeader(path);
  const stored = header.object("arrays");
  const name = stored.string("file");
  // The name is the file's claim: only a neighbour is taken.
  if (name !== `${basename(path, ".json")}.safetensors`) {
    throw new CheckpointError(
      "BAD_VALUE",
      `${path} names ${brief(name)} as its arrays instead of its neighbour`,
    );
  }
  const file = join(dirname(path), name);
  const promised = stored.whole("bytes");
  const pieces = (await readStoredPieces(file, promised, pieceBytes)) ?? missingFile(file);
  if (totalBytes(pieces) !== promised || sha256(pieces) !== stored.string("sha256")) {
    throw new CheckpointError(
      "DAMAGED",
      `${file} is not the file that ${path} describes: size or SHA-256 differ`,
    );
  }
  const { tensors } = readSafetensors(pieces, file);
  const arrays = new Map(
    [...tensors].map(([key, { shape, data }]) => [key, { shape, data: storedArray(data, key, file) }]),
  );
  const values = header.object("values");
  return {
    snapshot: { arrays, values: new Map(values.keys.map((key) => [key, values.value(key)])) },
    record: header.value("record"),
  };
}

function dtypeOf(data: StoredArray): SafetensorsTensor["dtype"] {
  if (types.isFloat32Array(data)) return "F32";
  if (types.isFloat64Array(data)) return "F64";
  if (types.isInt32Array(data)) return "I32";
  if (types.isUint32Array(data)) return "U32";
  return "U8";
}

function storedArray(data: SafetensorsTensor["data"], name: string, file: string): StoredArray {
  if (
    types.isFloat32Array(data) ||
    types.isFloat64Array(data) ||
    types.isInt32Array(data) ||
    types.isUint32Array(data) ||
    types.isUint8Array(data)
  )
    return data;
  throw new CheckpointError(
    "BAD_VALUE",
    `"${name}" of ${file} has elements of a type that no checkpoint holds`,
  );
}

function missingFile(path: string): never {
  throw new CheckpointError("READ_FAILED", `${path} does not exist`);
}

function totalBytes(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function sha256(pieces: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}
