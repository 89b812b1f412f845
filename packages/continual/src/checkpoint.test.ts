import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError } from "@milliner/core";
import {
  readCheckpoint,
  readerOf,
  readRecord,
  rewriteRecord,
  takeSnapshot,
  writeCheckpoint,
  type Snapshot,
} from "./checkpoint.ts";
import type { CheckpointWriter, Learner } from "./learner.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A learner that saves what `save` writes, and can do nothing else. */
function saving(save: (into: CheckpointWriter) => void): Learner {
  return { name: "scribe", save: async (into: CheckpointWriter) => save(into) } as Learner;
}

// Every bit pattern that a conversion to double or to text could lose.
const floats = new Float32Array(new Uint32Array([0x7fc00001, 0xff800000, 0x80000000, 1, 0x3f800001]).buffer);
const snapshot: Snapshot = {
  arrays: new Map([
    ["weights", { shape: [5], data: floats }],
    ["sums", { shape: [1, 2], data: Float64Array.of(Math.PI, -0) }],
    ["counts", { shape: [2, 1], data: Int32Array.of(-2147483648, 2147483647) }],
    ["locks", { shape: [1], data: Uint32Array.of(0xffffffff) }],
    ["bytes", { shape: [3], data: Uint8Array.of(0, 128, 255) }],
    ["nothing", { shape: [0, 4], data: new Float32Array(0) }],
    ["one number", { shape: [], data: Float32Array.of(7) }],
  ]),
  values: new Map<string, unknown>([
    ["state", { epoch: 3, names: ["a", "ä", "\u2028"], none: null }],
    ["__proto__", "an ordinary name"],
  ]),
};

describe("a checkpoint on the disk", () => {
  test("gives back every array with its type, shape and bits, every value, and the record", async () => {
    const path = join(folder, "task-000.json");
    await writeCheckpoint(path, { snapshot, record: { learned: 1 } });

    const read = await readCheckpoint(path);

    expect(read.record).toEqual({ learned: 1 });
    expect([...read.snapshot.values]).toEqual([...snapshot.values]);
    expect([...read.snapshot.arrays.keys()].sort()).toEqual([...snapshot.arrays.keys()].sort());
    for (const [name, { shape, data }] of snapshot.arrays) {
      const found = read.snapshot.arrays.get(name)!;
      expect(found.shape, name).toEqual(shape);
      expect(found.data.constructor, name).toBe(data.constructor);
      expect(bytesOf(found.data), name).toEqual(bytesOf(data));
    }
  });

  test("is two files and leaves no other", async () => {
    await writeCheckpoint(join(folder, "task-000.json"), { snapshot, record: null });

    expect((await readdir(folder)).sort()).toEqual(["task-000.json", "task-000.safetensors"]);
  });

  test("has the same bytes each time", async () => {
    await writeCheckpoint(join(folder, "task-000.json"), { snapshot, record: null });
    await writeCheckpoint(join(folder, "task-001.json"), { snapshot, record: null });

    expect(await readFile(join(folder, "task-000.safetensors"))).toEqual(
      await readFile(join(folder, "task-001.safetensors")),
    );
  });

  test.each([1, 7, 64])("written and read in pieces of %i bytes it is the same", async (pieceBytes) => {
    const [whole, inPieces] = [join(folder, "task-000.json"), join(folder, "task-001.json")];
    await writeCheckpoint(whole, { snapshot, record: null });
    await writeCheckpoint(inPieces, { snapshot, record: null }, pieceBytes);

    expect(await readFile(join(folder, "task-001.safetensors"))).toEqual(
      await readFile(join(folder, "task-000.safetensors")),
    );
    expect(await readCheckpoint(whole, pieceBytes)).toEqual(await readCheckpoint(whole));
    expect(await readCheckpoint(inPieces)).toEqual(await readCheckpoint(whole));
  });

  test.each([5, 4096])("damage is found in whichever piece of %i bytes it lies", async (pieceBytes) => {
    const path = join(folder, "task-000.json");
    await writeCheckpoint(path, { snapshot, record: null }, pieceBytes);
    const arrays = join(folder, "task-000.safetensors");
    const bytes = await readFile(arrays);
    for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
      await writeFile(arrays, bytes.with(at, bytes[at]! ^ 1));
      await expect(readCheckpoint(path, pieceBytes)).rejects.toMatchObject({ code: "DAMAGED" });
    }
  });

  test("takes a new record and keeps the rest", async () => {
    const path = join(folder, "task-000.json");
    await writeCheckpoint(path, { snapshot, record: "old" });
    const before = await readCheckpoint(path);
    await rewriteRecord(path, "new");

    expect(await readRecord(path)).toBe("new");
    expect(await readCheckpoint(path)).toEqual({ ...before, record: "new" });
  });
});

describe("a snapshot", () => {
  test("is a copy: later training does not change it", async () => {
    const live = Float32Array.of(1, 2);
    const shape = [2];
    const state = { epoch: 1 };
    const taken = await takeSnapshot(
      saving((into) => {
        into.array("w", shape, live);
        into.json("state", state);
      }),
    );
    live[0] = 9;
    shape[0] = 9;
    state.epoch = 9;

    expect(taken.arrays.get("w")).toEqual({ shape: [2], data: Float32Array.of(1, 2) });
    expect(taken.values.get("state")).toEqual({ epoch: 1 });
  });

  test.each<[string, string, (into: CheckpointWriter) => void]>([
    [
      "DUPLICATE_NAME",
      'learner "scribe" saves "w" twice',
      (into) => {
        into.json("w", 1);
        into.array("w", [1], Float32Array.of(1));
      },
    ],
    ["BAD_VALUE", "shape [2, 2] but 3 elements", (into) => into.array("w", [2, 2], new Float32Array(3))],
    ["BAD_VALUE", 'holds NaN (in "loss")', (into) => into.json("w", { loss: NaN })],
    ["BAD_VALUE", "holds -Infinity", (into) => into.json("w", [-Infinity])],
    ["BAD_VALUE", "holds [object Undefined]", (into) => into.json("w", undefined)],
    ["BAD_VALUE", 'holds [object Undefined] (in "1")', (into) => into.json("w", [1, undefined])],
    ["BAD_VALUE", 'holds [object Undefined] (in "lr")', (into) => into.json("w", { lr: undefined })],
    ["BAD_VALUE", 'holds [object Map] (in "heads")', (into) => into.json("w", { heads: new Map([[0, 2]]) })],
    ["BAD_VALUE", "holds [object Float32Array]", (into) => into.json("w", Float32Array.of(1))],
    ["BAD_VALUE", "holds [object Date]", (into) => into.json("w", new Date(0))],
    ["BAD_VALUE", "holds [object BigInt]", (into) => into.json("w", 1n)],
    ["BAD_VALUE", "nested deeper than 256 levels", (into) => into.json("w", cycle())],
  ])("refuses with %s what could not be read back: %s", async (code, text, save) => {
    await expect(takeSnapshot(saving(save))).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });

  test("takes objects without a prototype, which are plain too", async () => {
    const bare: unknown = Object.assign(Object.create(null), { a: [1, "b", null, true] });
    const taken = await takeSnapshot(saving((into) => into.json("bare", bare)));

    expect(taken.values.get("bare")).toEqual({ a: [1, "b", null, true] });
  });

  test("takes objects of another realm, which are plain there, and no more of its other values than of ours", async () => {
    const elsewhere: unknown = runInNewContext(`({ a: [1, { b: "c" }] })`);
    const taken = await takeSnapshot(saving((into) => into.json("there", elsewhere)));

    expect(taken.values.get("there")).toEqual({ a: [1, { b: "c" }] });
    for (const value of ["new Map()", "new Date(0)", "new (class A {})()"]) {
      const other: unknown = runInNewContext(value);
      await expect(takeSnapshot(saving((into) => into.json("there", other)))).rejects.toMatchObject({
        code: "BAD_VALUE",
      });
    }
  });

  test("holds values as deep as it may, and what was written so is read again", async () => {
    const path = join(folder, "task-000.json");
    const value = nested(256);
    const taken = await takeSnapshot(saving((into) => into.json("deep", value)));
    await writeCheckpoint(path, { snapshot: taken, record: null });

    expect((await readCheckpoint(path)).snapshot.values.get("deep")).toEqual(value);
    await expect(takeSnapshot(saving((into) => into.json("deep", nested(257))))).rejects.toThrow("deeper");
  });

  test("read for a name that it lacks says where and which", () => {
    const reader = readerOf(snapshot, "task-000.json");

    expect(reader.has("weights")).toBe(true);
    expect(reader.has("toString")).toBe(false);
    expect(() => reader.array("state")).toThrow('task-000.json has no array "state"');
    expect(() => reader.json("weights")).toThrow(CheckpointError);
    expect(reader.json("__proto__")).toBe("an ordinary name");
  });
});

/** Lists in lists, so many. */
function nested(levels: number): unknown {
  let value: unknown[] = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

function cycle(): unknown {
  const value: Record<string, unknown> = {};
  value["self"] = [value, value];
  return value;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}
