import { describe, expect, test } from "vitest";
import { availableBackends, memoryUse } from "@milliner/core";
import { forEachBatch, readBatch } from "./batches.ts";
import type { Split } from "./task.ts";

/** Image i holds the values i and i + 0.5; its label is 100 + i. */
function counted(size: number, spoil: ReadonlyMap<number, number> = new Map()): Split {
  return {
    size,
    shape: [1, 2, 1],
    labels: Int32Array.from({ length: size }, (_, i) => 100 + i),
    read(indices, into) {
      for (let i = 0; i < indices.length; i++)
        into.set([indices[i]!, spoil.get(indices[i]!) ?? indices[i]! + 0.5], 2 * i);
    },
  };
}

describe.each(availableBackends())("on the backend $name", (backend) => {
  test("a batch holds the images asked for, in that order, each with its label", () => {
    const { images, labels } = readBatch(counted(5), Uint32Array.of(3, 0, 3), backend);

    expect([...images.shape]).toEqual([3, 1, 2, 1]);
    expect([...images.data]).toEqual([3, 3.5, 0, 0.5, 3, 3.5]);
    expect([...labels]).toEqual([103, 100, 103]);
    images.dispose();
  });

  test.each([NaN, Infinity, -Infinity])(
    "an image with %d is refused by its number in the split, and freed",
    (bad) => {
      const before = memoryUse().buffers;
      const read = (): unknown =>
        readBatch(counted(9, new Map([[7, bad]])), Uint32Array.of(2, 7, 1), backend);

      expect(read).toThrow(expect.objectContaining({ code: "NON_FINITE_DATA" }));
      expect(read).toThrow(`value 1 of image 7 is ${bad}`);
      expect(memoryUse().buffers).toBe(before);
    },
  );

  test("a split that leaves out an image of a later batch is refused: it would be one of the batch before", () => {
    const whole = counted(9);
    const stops: Split = {
      ...whole,
      read(indices, into) {
        const until = Array.from(indices).indexOf(7);
        whole.read(until < 0 ? indices : Array.from(indices).slice(0, until), into);
      },
    };
    const seen: number[] = [];
    const read = (): void => forEachBatch(stops, 3, backend, (_, labels) => seen.push(...labels));

    expect(read).toThrow(
      expect.objectContaining({
        code: "BAD_SPLIT",
        message: expect.stringContaining("asked for 3 images and has not written value 1 of image 7;"),
      }),
    );
    expect(seen, "the batches before it").toEqual([100, 101, 102, 103, 104, 105]);
  });

  test.each([
    [7, 3, [3, 3, 1]],
    [6, 3, [3, 3]],
    [2, 5, [2]],
    [0, 5, []],
  ])(
    "%d images in batches of %d come in order, the rest last, and are freed",
    (size, batchSize, expected) => {
      const before = memoryUse().buffers;
      const sizes: number[] = [];
      const seen: number[] = [];
      forEachBatch(counted(size), batchSize, backend, (images, labels, first) => {
        expect(first).toBe(seen.length);
        expect(images.shape[0]).toBe(labels.length);
        sizes.push(labels.length);
        seen.push(...labels);
      });

      expect(sizes).toEqual(expected);
      expect(seen).toEqual([...counted(size).labels]);
      expect(memoryUse().buffers).toBe(before);
    },
  );
});
