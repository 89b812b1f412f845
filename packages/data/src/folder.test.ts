import fc from "fast-check";
import { mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, inject, test } from "vitest";

import { createDataset, createImageSet, type Dataset, type ImageSet } from "./dataset.ts";
import { loadFolder, saveFolder } from "./folder.ts";
import { writeIdx } from "./idx.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-data-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Three training and four test images of 2 x 1 pixels, some of each class. */
function small(channels: number, classes: readonly string[] = ["0", "1", "2"]): Dataset {
  const images = (count: number) => Uint8Array.from({ length: count * 2 * channels }, (_, i) => 7 * i);
  const shape = [2, 1, channels] as const;
  return createDataset(
    "small",
    createImageSet({ images: images(3), shape, count: 3 }, new Uint8Array([0, 1, 2]), classes),
    createImageSet({ images: images(4), shape, count: 4 }, new Uint8Array([2, 0, 1, 0]), classes),
  );
}

test("what is saved is loaded, plain and gzip, of any number of channels", async () => {
  const dataset = fc
    .record({
      shape: fc.tuple(...[3, 3, 4].map((max) => fc.integer({ min: 1, max }))),
      counts: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
      classes: fc.uniqueArray(fc.stringMatching(/^[a-zé/-]{1,8}$/u), { minLength: 1, maxLength: 5 }),
      pixel: fc.integer({ min: 2, max: 255 }), // of a set that is nearly black it is warned
    })
    .map(({ shape, counts, classes, pixel }) => {
      const [train, test] = counts.map((count) => {
        const images = Uint8Array.from(
          { length: count * shape[0]! * shape[1]! * shape[2]! },
          (_, i) => pixel + i,
        );
        const labels = Uint8Array.from({ length: count }, (_, i) => i % classes.length);
        return createImageSet({ images, shape: [shape[0]!, shape[1]!, shape[2]!], count }, labels, classes);
      });
      return createDataset("any", train!, test!);
    });
  await fc.assert(
    fc.asyncProperty(dataset, fc.boolean(), async (saved, gzip) => {
      const target = await mkdtemp(join(folder, "set-"));

      await saveFolder(target, saved, { gzip });

      // What was left out is not in the files; of classes without test images both say the same.
      const warnings = saved.warnings.filter((warning) => warning.includes("no test images"));
      expect(await loadFolder(target, { name: "any" })).toEqual({ ...saved, warnings });
    }),
    { numRuns: 30 * inject("soak") },
  );
});

test("a data set is named after its folder", async () => {
  await saveFolder(folder, small(1));

  expect((await loadFolder(`${folder}/.`)).name).toBe(basename(folder));
});

test("without class names the classes are numbered over both parts", async () => {
  await saveFolder(folder, small(1, ["a", "b", "c"]));
  await rm(join(folder, "classes.txt"));

  const { classes, train } = await loadFolder(folder);

  expect(classes).toEqual(["0", "1", "2"]);
  expect(train.classes).toEqual(classes);
});

test("letters whose labels count from 1 are 26 classes, and a warning says what was left out", async () => {
  const letters = (count: number): ImageSet => ({
    images: Uint8Array.from({ length: count * 4 }, (_, i) => i),
    shape: [2, 2, 1],
    labels: Uint8Array.from({ length: count }, (_, i) => 1 + (i % 26)),
    classes: Array.from({ length: 27 }, (_, label) => String(label)),
  });
  const [train, test] = [letters(78), letters(52)];
  await saveFolder(folder, { name: "letters", train, test, classes: train.classes, warnings: [] });
  await rm(join(folder, "classes.txt"));

  const loaded = await loadFolder(folder, { name: "letters" });

  expect(loaded.classes).toEqual(train.classes.slice(1));
  expect([...loaded.train.labels]).toEqual(Array.from(train.labels, (label) => label - 1));
  expect([...loaded.test.labels]).toEqual(Array.from(test.labels, (label) => label - 1));
  expect(loaded.train.images).toEqual(train.images);
  expect(loaded.warnings).toEqual(['letters has no training images of the class "0": it is left out.']);
});

test("images with channels first are put in order, and the data set warns of each file", async () => {
  for (const [split, count] of [
    ["train", 4],
    ["t10k", 2],
  ] as const) {
    const shape = [count, 3, 6, 5];
    const data = Uint8Array.from({ length: count * 90 }, (_, i) => i);
    await writeFile(join(folder, `${split}-images-idx4-ubyte`), writeIdx({ shape, data }));
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
    await writeFile(join(folder, `${split}-labels-idx1-ubyte`), writeIdx({ shape: [count], data: labels }));
  }

  const { train, warnings } = await loadFolder(folder);

  expect(train.shape).toEqual([6, 5, 3]);
  expect([...train.images.subarray(0, 6)]).toEqual([0, 30, 60, 1, 31, 61]);
  expect(warnings).toEqual([
    expect.stringContaining("train-images-idx4-ubyte has 4 x 3 x 6 x 5 numbers"),
    expect.stringContaining("t10k-images-idx4-ubyte has 2 x 3 x 6 x 5 numbers"),
  ]);
});

test("images that would be read back as channels first are not saved", async () => {
  const set = createImageSet({ images: new Uint8Array(72), shape: [1, 8, 9], count: 1 }, new Uint8Array(1), [
    "walking",
  ]);

  await expect(saveFolder(folder, createDataset("sensors", set, set))).rejects.toMatchObject({
    code: "BAD_SHAPE",
    message: expect.stringMatching(/^sensors has images of 1 x 8 pixels with 9 channels/),
  });
  expect(await readdir(folder)).toEqual([]);
});

test("floats are read where their range is named", async () => {
  await saveFolder(folder, small(1));
  const floats = (pixels: Uint8Array): Uint8Array => {
    const file = new DataView(new ArrayBuffer(16 + 4 * pixels.length));
    [0x0d03, pixels.length / 2, 2, 1].forEach((value, i) => file.setUint32(4 * i, value));
    pixels.forEach((pixel, i) => file.setFloat32(16 + 4 * i, pixel / 255));
    return new Uint8Array(file.buffer);
  };
  for (const [split, { images }] of [
    ["train", small(1).train],
    ["t10k", small(1).test],
  ] as const)
    await writeFile(join(folder, `${split}-images-idx3-ubyte`), floats(images));

  expect(await loadFolder(folder, { name: "small", range: [0, 1] })).toEqual(small(1));
  await expect(loadFolder(folder)).rejects.toMatchObject({ code: "UNSUPPORTED_TYPE" });
});

test("a file of label names by another name is read, and classes.txt goes before it", async () => {
  await saveFolder(folder, small(1));
  await writeFile(join(folder, "fine_label_names.txt"), "x\ny\nz\n");

  expect((await loadFolder(folder)).classes).toEqual(["0", "1", "2"]);
  await rm(join(folder, "classes.txt"));
  expect((await loadFolder(folder)).classes).toEqual(["x", "y", "z"]);
});

test.each(["Classes.txt", "labels.txt", "class_names.csv", "classes.txt.gz", "letters-mapping.txt", "names"])(
  "%s, which is nearly called as class names are, is not read, and a warning names it",
  async (fileName) => {
    await saveFolder(folder, small(1));
    await rename(join(folder, "classes.txt"), join(folder, fileName));

    const { classes, warnings } = await loadFolder(folder);

    expect(classes).toEqual(["0", "1", "2"]);
    expect(warnings).toEqual([
      `${join(folder, fileName)} is not read: class names stand in classes.txt, a line each; call it so if it names the classes.`,
    ]);
  },
);

test("no warning is about labels of images, or about any file beside the class names", async () => {
  await saveFolder(folder, small(1));
  await writeFile(join(folder, "labels.txt"), "x");
  const { warnings: named } = await loadFolder(folder);
  await rm(join(folder, "labels.txt"));
  await rm(join(folder, "classes.txt"));
  for (const fileName of [
    "train_labels.csv",
    "validation-labels.txt",
    "file_names.txt",
    "README.md",
    "class.zip",
  ])
    await writeFile(join(folder, fileName), "x");

  expect([named, (await loadFolder(folder)).warnings]).toEqual([[], []]);
});

test("one class in two forms of Unicode is one class, whichever form the files have", async () => {
  const [composed, apart] = ["caf\u00e9", "cafe\u0301"];
  await saveFolder(folder, small(1));
  await writeFile(join(folder, "classes.txt"), `${apart}\ntea\nwater\n`);

  expect((await loadFolder(folder)).classes).toEqual([composed, "tea", "water"]);

  await writeFile(join(folder, "classes.txt"), `${apart}\ntea\n${composed}\n`);
  await expect(loadFolder(folder)).rejects.toMatchObject({
    code: "BAD_CLASS_NAMES",
    message: `${join(folder, "classes.txt")}: classes 0 and 2 are both called "${composed}"; give each a name of its own.`,
  });
});

test("files are recognised by their content: idx4 in a name, other prefixes and endings do not matter", async () => {
  await saveFolder(folder, small(3), { gzip: true });
  await rename(join(folder, "train-images-idx4-ubyte.gz"), join(folder, "letters-train-images.idx.gz"));
  await rename(join(folder, "train-labels-idx1-ubyte.gz"), join(folder, "TrainLabels"));
  await rename(join(folder, "t10k-images-idx4-ubyte.gz"), join(folder, "test_images"));
  await rename(join(folder, "t10k-labels-idx1-ubyte.gz"), join(folder, "testlabels.bin"));

  expect(await loadFolder(folder, { name: "small" })).toEqual(small(3));
});

test("other files, folders, pipes to nowhere and half-written files are passed over", async () => {
  await saveFolder(folder, small(1));
  await writeFile(join(folder, "README.md"), "train");
  await writeFile(join(folder, "train.bin.gz"), new Uint8Array([0x1f, 0x8b, 99]));
  await writeFile(join(folder, ".train-images-idx3-ubyte.1234.part"), new Uint8Array([0, 0, 8, 3, 0]));
  await symlink(join(folder, "nowhere"), join(folder, "train-link"));
  await symlink(folder, join(folder, "train-folder"));

  expect(await loadFolder(folder, { name: "small" })).toEqual(small(1));
});

test("links to files are followed", async () => {
  const target = join(folder, "linked");
  await saveFolder(folder, small(1));
  await saveFolder(target, small(1));
  await rm(join(target, "train-images-idx3-ubyte"));
  await symlink(join(folder, "train-images-idx3-ubyte"), join(target, "train-images-idx3-ubyte"));

  expect(await loadFolder(target, { name: "small" })).toEqual(small(1));
});

test("where a file lies there plain and compressed, the plain one is read", async () => {
  const other = join(folder, "other");
  await saveFolder(folder, small(1));
  await saveFolder(other, small(3), { gzip: true });
  for (const name of await readdir(other)) {
    if (name.endsWith(".gz")) await rename(join(other, name), join(folder, name.replace("idx4", "idx3")));
  }

  expect(await loadFolder(folder, { name: "small" })).toEqual(small(1));
});

test("saving packed over plain replaces it, and the other way round", async () => {
  await saveFolder(folder, small(1, ["a", "b", "c"]));

  for (const gzip of [true, false]) {
    await saveFolder(folder, small(1), { gzip });

    const idx = (await readdir(folder)).filter((name) => name !== "classes.txt");
    expect(idx).toHaveLength(4);
    expect(idx.every((name) => name.endsWith(".gz") === gzip)).toBe(true);
  }
  expect(await loadFolder(folder, { name: "small" })).toEqual(small(1));
});

test("class names that would not be read back are not saved", async () => {
  for (const name of [" a", "a\nb", "", "\u001b[2J"]) {
    await expect(saveFolder(folder, small(1, [name, "b", "c"]))).rejects.toMatchObject({
      name: "DataError",
      code: "BAD_CLASS_NAMES",
    });
  }
  expect(await readdir(folder)).toEqual([]);
});
