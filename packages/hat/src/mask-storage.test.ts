import { expect, test } from "vitest";
import { Bits, UnitMasks } from "@milliner/core";
import type { CheckpointReader } from "@milliner/continual";
import { loadMasks, saveMasks } from "./mask-storage.ts";

const spaces = [{ name: "fc1", units: 4 }];

function stored(word: number): CheckpointReader {
  return {
    has: () => true,
    array: () => ({ shape: [1], data: Uint32Array.of(word) }),
    json: () => [0],
  };
}

test("masks are read back as they were written", () => {
  const masks = new UnitMasks(spaces);
  masks.set(0, new Map([["fc1", Bits.from(4, (i) => i !== 2)]]));
  const words: Uint32Array[] = [];
  saveMasks(masks, { array: (_, __, data) => words.push(data as Uint32Array), json: () => undefined });

  const read = loadMasks(spaces, stored(words[0]![0]!));

  expect([...read.get(0)!.get("fc1")!.indices()]).toEqual([0, 1, 3]);
});

test.each([
  ["bits behind the last unit", 0xfffffff1],
  ["no unit at all", 0],
])("a stored mask with %s is refused", (_, word) => {
  expect(() => loadMasks(spaces, stored(word))).toThrow(
    expect.objectContaining({ code: "BAD_MASK", message: expect.stringContaining("4 units") }),
  );
});
