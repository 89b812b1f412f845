import fc from "fast-check";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, inject, test } from "vitest";

import { DataError, type DataErrorCode } from "../data-error.ts";
import { createDataset, createImageSet } from "../dataset.ts";
import { loadFolder, saveFolder } from "../folder.ts";
import { writeIdx } from "../idx.ts";

const trainImages = "train-images-idx3-ubyte";
const trainLabels = "train-labels-idx1-ubyte";
const testImages = "t10k-images-idx3-ubyte";
const testLabels = "t10k-labels-idx1-ubyte";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-data-"));
  await saveSmall(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function saveSmall(target: string): Promise<void> {
  const images = { images: new Uint8Array(12).fill(9), shape: [2, 2, 1] as const, count: 3 };
  const set = createImageSet(images, new Uint8Array([0, 1, 2]), ["a", "b", "c"]);
  await saveFolder(target, createDataset("small", set, set));
}

const put = (name: string, bytes: Uint8Array | string): Promise<void> => writeFile(join(folder, name), bytes);
const labels = (...values: readonly number[]): Uint8Array =>
  writeIdx({ shape: [values.length], data: Uint8Array.from(values) });

interface Lie {
  readonly lie: string;
  readonly tell: () => Promise<unknown>;
  readonly code: DataErrorCode;
  /** What the message has to name. */
  readonly names: readonly string[];
}

const lies: readonly Lie[] = [
  {
    lie: "the training images are missing",
    tell: () => rm(join(folder, trainImages)),
    code: "FILE_MISSING",
    names: ["train images", trainImages],
  },
  {
    lie: "the test labels are missing",
    tell: () => rm(join(folder, testLabels)),
    code: "FILE_MISSING",
    names: ["test labels", testLabels],
  },
  {
    lie: "a name that says neither train nor test",
    tell: () => rename(join(folder, trainImages), join(folder, "images-idx3-ubyte")),
    code: "FILE_MISSING",
    names: ["train images, and it cannot be told what images-idx3-ubyte is"],
  },
  {
    lie: "a name that says both train and test",
    tell: () => rename(join(folder, testLabels), join(folder, "train-test-labels")),
    code: "FILE_MISSING",
    names: ["test labels, and it cannot be told what train-test-labels is"],
  },
  {
    lie: "two files of training images",
    tell: async () => put("train-more-images", await readFile(join(folder, trainImages))),
    code: "FILE_AMBIGUOUS",
    names: [trainImages, "train-more-images"],
  },
  {
    lie: "labels and images of a split swapped",
    tell: async () => {
      await rename(join(folder, testLabels), join(folder, "aside"));
      await rename(join(folder, testImages), join(folder, testLabels));
      await rename(join(folder, "aside"), join(folder, testImages));
    },
    code: "BAD_MAGIC",
    names: ["swapped?", "t10k-"],
  },
  {
    lie: "a label file that holds images",
    tell: async () => put(testLabels, await readFile(join(folder, testImages))),
    code: "BAD_MAGIC",
    names: [testLabels, "swapped?"],
  },
  {
    lie: "a web page under the name of a file",
    tell: () => put(trainImages, "<!DOCTYPE html><title>404</title>"),
    code: "BAD_MAGIC",
    names: [trainImages, "is a web page (HTML), not an IDX file"],
  },
  {
    lie: "floats",
    tell: () => put(trainImages, new Uint8Array([0, 0, 0x0d, 3])),
    code: "UNSUPPORTED_TYPE",
    names: [trainImages, "32-bit floats"],
  },
  {
    lie: "an empty file",
    tell: () => put(trainLabels, ""),
    code: "TRUNCATED",
    names: [trainLabels, "0 bytes"],
  },
  {
    lie: "a truncated file",
    tell: async () => put(trainImages, (await readFile(join(folder, trainImages))).subarray(0, -5)),
    code: "TRUNCATED",
    names: [trainImages, "28", "23"],
  },
  {
    lie: "a truncated gzip file",
    tell: async () => {
      await rm(join(folder, trainImages));
      await put(`${trainImages}.gz`, gzipSync(await readFile(join(folder, testImages))).subarray(0, -9));
    },
    code: "TRUNCATED",
    names: [`${trainImages}.gz`],
  },
  {
    lie: "a decompression bomb",
    tell: async () => {
      await rm(join(folder, trainLabels));
      await put(`${trainLabels}.gz`, gzipSync(Buffer.concat([labels(0, 1, 2), new Uint8Array(2 ** 25)])));
    },
    code: "TRAILING_BYTES",
    names: [`${trainLabels}.gz`, "bomb"],
  },
  {
    lie: "fewer labels than images",
    tell: () => put(trainLabels, labels(0, 1)),
    code: "COUNT_MISMATCH",
    names: [trainImages, "3 images", trainLabels, "2 labels"],
  },
  {
    lie: "a label beyond the class names",
    tell: () => put(testLabels, labels(0, 3, 1)),
    code: "LABEL_OUT_OF_RANGE",
    names: [testLabels, "label 3 at index 1", "3 classes"],
  },
  {
    lie: "no images",
    tell: () => put(testImages, new Uint8Array([0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2])),
    code: "EMPTY",
    names: [testImages],
  },
  {
    lie: "test images of another size",
    tell: () => put(testImages, writeIdx({ shape: [3, 1, 4], data: new Uint8Array(12) })),
    code: "SHAPE_MISMATCH",
    names: ["2 x 2 x 1", "1 x 4 x 1"],
  },
  {
    lie: "an escape sequence as class name",
    tell: () => put("classes.txt", "a\n\u001b[2J\nc\n"),
    code: "BAD_CLASS_NAMES",
    names: ["classes.txt line 2"],
  },
  {
    lie: "class names of megabytes",
    tell: () => put("classes.txt", "x".repeat(2 ** 21)),
    code: "TOO_LARGE",
    names: ["classes.txt"],
  },
  {
    lie: "a Git LFS pointer in place of a file",
    tell: () => put(trainImages, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n"),
    code: "BAD_MAGIC",
    names: [trainImages, "Git LFS", "`git lfs pull`"],
  },
  {
    lie: "a Git LFS pointer in place of the class names",
    tell: () => put("classes.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n"),
    code: "BAD_CLASS_NAMES",
    names: ["classes.txt", "Git LFS"],
  },
  {
    lie: "a folder in place of the class names",
    tell: async () => {
      await rm(join(folder, "classes.txt"));
      await mkdir(join(folder, "classes.txt"));
    },
    code: "BAD_CLASS_NAMES",
    names: ["classes.txt", "is a folder"],
  },
  {
    lie: "two classes of one name",
    tell: () => put("classes.txt", "a\nb\na\n"),
    code: "BAD_CLASS_NAMES",
    names: ["classes.txt", "classes 0 and 2", '"a"'],
  },
  {
    lie: "two classes of one name of 5,000 letters",
    tell: () => put("classes.txt", `${"x".repeat(5000)}\nb\n${"x".repeat(5000)}\n`),
    code: "BAD_CLASS_NAMES",
    names: ["classes.txt", `"${"x".repeat(37)}..."`],
  },
  {
    lie: "two files of class names",
    tell: async () => {
      await rename(join(folder, "classes.txt"), join(folder, "fine_label_names.txt"));
      await put("coarse_label_names.txt", "a\nb\nc\n");
    },
    code: "FILE_AMBIGUOUS",
    names: ["fine_label_names.txt", "coarse_label_names.txt", "classes.txt"],
  },
];

test.each(lies)("$lie: one clear error that names the file", async ({ tell, code, names }) => {
  await tell();

  const error: unknown = await loadFolder(folder).catch((reason: unknown) => reason);

  expect(error).toBeInstanceOf(DataError);
  expect(error).toMatchObject({ code });
  for (const name of [folder, ...names]) if (code !== "SHAPE_MISMATCH") expect(String(error)).toContain(name);
});

test("a folder that is not there, lies below a file or is empty is an error that names it", async () => {
  await mkdir(join(folder, "empty"));

  for (const path of ["missing", join(trainImages, "below"), "empty"].map((name) => join(folder, name))) {
    await expect(loadFolder(path)).rejects.toMatchObject({
      name: "DataError",
      code: "FILE_MISSING",
      message: expect.stringContaining(path),
    });
  }
});

test.skipIf(process.platform === "win32")(
  "a pipe that nobody writes to does not stop the reader",
  async () => {
    await mkdir(join(folder, "pipes"));
    execFileSync("mkfifo", [join(folder, "pipes", "pipe")]);
    await rm(join(folder, trainImages));
    await symlink(join(folder, "pipes", "pipe"), join(folder, trainImages));

    await expect(loadFolder(folder)).rejects.toMatchObject({
      code: "READ_FAILED",
      message: expect.stringContaining(trainImages),
    });
  },
);

test("a file beyond the limit is refused before it is read", async () => {
  await expect(loadFolder(folder, { maxBytes: 20 })).rejects.toMatchObject({
    code: "TOO_LARGE",
    message: expect.stringMatching(/28 bytes .* limit of 20/),
  });
});

test("whatever happens to a file, the folder is a consistent data set or a DataError", async () => {
  const names = [trainImages, trainLabels, testImages, testLabels, "classes.txt"];
  const damage = fc.record({
    name: fc.constantFrom(...names),
    place: fc.nat(30),
    bytes: fc.uint8Array({ maxLength: 4 }),
    cut: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      for (const name of await readdir(folder)) await rm(join(folder, name));
      await saveSmall(folder);
      for (const { name, place, bytes, cut } of damages) {
        const file = await readFile(join(folder, name));
        const rest = cut ? [] : file.subarray(place + bytes.length);
        await put(name, Uint8Array.from([...file.subarray(0, place), ...bytes, ...rest]));
      }
      try {
        const { train, test: tested, classes } = await loadFolder(folder);

        for (const { images, shape, labels: values } of [train, tested]) {
          expect(images.length).toBe(values.length * shape[0] * shape[1] * shape[2]);
          expect(Math.max(...values)).toBeLessThan(classes.length);
        }
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
      }
    }),
    { numRuns: 150 * inject("soak") },
  );
});
