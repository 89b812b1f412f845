import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { createDataset, createImageSet, type Dataset } from "./dataset.ts";
import { datasetName } from "./folder-layout.ts";
import { loadFolder, saveFolder } from "./folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "milliner-data-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const set = createImageSet(
  { images: Uint8Array.from({ length: 12 }, (_, i) => i), shape: [2, 2, 1], count: 3 },
  [0, 1, 2],
  ["bowler", "fez", "top hat"],
);
const hats: Dataset = createDataset("hats", set, set);
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0);
const csv = "label,1x1,1x2\n5,0,0\n0,12,255\n";

/** Writes a file and the folders that it lies in. */
async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe("torchvision's folders", () => {
  test.each([
    ["the data set", "root/MNIST"],
    ["the folder of all data sets", "root"],
    ["the files", "root/MNIST/raw"],
  ])("are read when %s is named, and called by the data set", async (_, named) => {
    await saveFolder(join(folder, "root/MNIST/raw"), hats);

    expect(await loadFolder(join(folder, named))).toEqual({ ...hats, name: "MNIST" });
  });

  test("of which several have files are an error that names them", async () => {
    for (const name of ["MNIST", "KMNIST"]) await saveFolder(join(folder, name, "raw"), hats);

    await expect(loadFolder(folder)).rejects.toMatchObject({
      code: "FILE_AMBIGUOUS",
      message: `${folder} has no IDX files itself, but ${join("KMNIST", "raw")} and ${join("MNIST", "raw")} have; name one of them.`,
    });
  });

  test("do not go before files in the folder itself", async () => {
    const other = createDataset("other", set, { ...set, labels: Uint8Array.of(2, 1, 0) });
    await saveFolder(folder, other);
    await saveFolder(join(folder, "raw"), hats);

    expect((await loadFolder(folder)).test.labels).toEqual(Uint8Array.of(2, 1, 0));
  });
});

test("IDX files one level down in a folder of another name are found, and named in the error", async () => {
  await saveFolder(join(folder, "hats"), hats);
  await expect(loadFolder(folder)).rejects.toMatchObject({
    code: "FILE_MISSING",
    message: `${folder} has no IDX files itself, but hats has; name ${join(folder, "hats")}.`,
  });

  await saveFolder(join(folder, "shoes"), hats);
  await expect(loadFolder(folder)).rejects.toThrow(/but hats and shoes have; name .*hats, for example\.$/);
});

test.each([
  ["EMNIST/gzip", "EMNIST"],
  ["hats/processed", "hats"],
  ["hats/Images", "hats"],
  ["hats/data/idx", "hats"],
  ["hats/raw-1", "raw-1"],
])("a data set in %s is called %s", async (path, name) => {
  await saveFolder(join(folder, path), hats);

  expect((await loadFolder(join(folder, path))).name).toBe(name);
});

test("a folder of a container's name that stands alone keeps it", () => {
  expect(datasetName("/data")).toBe("data");
});

interface Elsewhere {
  readonly what: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly named?: string;
  readonly code: string;
  readonly says: readonly string[];
}

const unread = ["not read yet", "docs/how-to/own-images.md"];
const elsewhere: readonly Elsewhere[] = [
  {
    what: "a folder of class folders",
    files: { "cat/1.png": png, "cat/2.png": png, "dog/1.png": png, "README.md": "Pets.\n" },
    code: "UNSUPPORTED_FORMAT",
    says: ["images in folders by class (cat, dog)", ...unread],
  },
  {
    what: "class folders of each part",
    files: { "test/a/1.png": png, "train/a/1.png": png, "train/b/1.png": png, "train/c/1.png": png },
    code: "UNSUPPORTED_FORMAT",
    says: ["images in folders by class (a in test)", ...unread],
  },
  {
    what: "more classes than a sentence has room for",
    files: Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`hat${i}/1.jpg`, Uint8Array.of(0xff, 0xd8, 0xff)]),
    ),
    code: "UNSUPPORTED_FORMAT",
    says: ["(hat0, hat1, hat2 and 6 more)", ...unread],
  },
  {
    what: "loose images",
    files: { "1.png": png },
    code: "UNSUPPORTED_FORMAT",
    says: ["1.png, which is an image (PNG)", "docs/how-to/own-images.md"],
  },
  {
    what: "a folder of CSV tables",
    files: { "mnist_train.csv": csv, "mnist_test.csv": csv },
    code: "UNSUPPORTED_FORMAT",
    says: ["mnist_test.csv, which is a CSV table", "docs/how-to/own-images.md"],
  },
  {
    what: "an archive that nobody unpacked",
    files: {
      "hats.zip": `PK\x03\x04${"\0".repeat(22)}\x0a\0\0\0hats/1.png`,
      "notes.txt": "Unpack me, please\nYours, A\n",
    },
    code: "UNSUPPORTED_FORMAT",
    says: ["hats.zip, which is a zip archive; unpack it first"],
  },
  {
    what: "a packed table",
    files: { "hats.csv.gz": gzipSync(csv) },
    code: "UNSUPPORTED_FORMAT",
    says: ["hats.csv.gz, which is a CSV table"],
  },
  {
    what: "pointers of Git LFS under names of one's own",
    files: { "hats.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n" },
    code: "UNSUPPORTED_FORMAT",
    says: ["hats.bin, which is a Git LFS pointer", "`git lfs pull`"],
  },
  {
    what: "class folders three levels down",
    files: { "data/train/cat/1.png": png },
    code: "UNSUPPORTED_FORMAT",
    says: [`images in folders by class (cat in ${join("data", "train")})`, ...unread],
  },
  {
    what: "class folders of BMP images",
    files: { "train/c/a.bmp": `BM\x46${"\0".repeat(60)}` },
    code: "UNSUPPORTED_FORMAT",
    says: ["images in folders by class (c in train)", ...unread],
  },
  {
    what: "folders with nothing that is known",
    files: { "train/cat/a.jpg": Uint8Array.of(6, 255, 254, 3) },
    code: "FILE_MISSING",
    says: [`no IDX file of train images (there is ${join("train", "cat", "/")});`],
  },
  {
    what: "CIFAR-10 in binary form",
    files: {
      "data_batch_1.bin.gz": gzipSync(new Uint8Array(3073 * 2)),
      "batches.meta.txt": "airplane\nautomobile\n",
    },
    code: "UNSUPPORTED_FORMAT",
    says: ["data_batch_1.bin.gz, which is in the binary form of CIFAR-10", "docs/how-to/own-images.md"],
  },
  {
    what: "CIFAR-100 in binary form under other names",
    files: { "a.bin": new Uint8Array(3074 * 3).fill(200), "b.bin.gz": gzipSync(new Uint8Array(3074)) },
    code: "UNSUPPORTED_FORMAT",
    says: ["a.bin, which is in the binary form of CIFAR-100"],
  },
  {
    what: "CIFAR-10 as pickles",
    files: { data_batch_1: Uint8Array.of(0x80, 2, 0x7d, 0x71), "readme.html": "<html>" },
    code: "UNSUPPORTED_FORMAT",
    says: ["data_batch_1, which is CIFAR-10 as Python pickles", "docs/how-to/own-images.md"],
  },
  {
    what: "CIFAR's archive",
    files: {
      "cifar-10-python.tar.gz": gzipSync(`cifar-10-batches-py/${"\0".repeat(237)}ustar${"\0".repeat(250)}`),
    },
    code: "UNSUPPORTED_FORMAT",
    says: ["cifar-10-python.tar.gz, which is CIFAR-10 as Python pickles", "docs/how-to/own-images.md"],
  },
  {
    what: "nothing that is known",
    files: {
      "hats.bin": Uint8Array.of(6, 255, 254, 3),
      "README.md": "Read me.\n",
      "page.html": "<html>",
    },
    code: "FILE_MISSING",
    says: ["no IDX file of train images (there are README.md, hats.bin, page.html)"],
  },
  {
    what: "a CSV in place of a folder",
    files: { "hats.csv": csv },
    named: "hats.csv",
    code: "UNSUPPORTED_FORMAT",
    says: ["hats.csv is a CSV table and not a folder of IDX files", "docs/how-to/own-images.md"],
  },
  {
    what: "an archive in place of a folder",
    files: { "hats.npz": `PK\x03\x04${"\0".repeat(22)}\x09\0\0\0arr_0.npy` },
    named: "hats.npz",
    code: "UNSUPPORTED_FORMAT",
    says: ["hats.npz is an archive of NumPy arrays (.npz) and not a folder"],
  },
  {
    what: "another file in place of a folder",
    files: { "hats.bin": Uint8Array.of(1, 2, 3) },
    named: "hats.bin",
    code: "NOT_A_FOLDER",
    says: ["hats.bin is a file and not a folder; name the folder"],
  },
];

test.each(elsewhere)(
  "$what: one sentence says what is there and what to do",
  async ({ files, named = "", code, says }) => {
    for (const [path, content] of Object.entries(files)) await put(path, content);

    const error: unknown = await loadFolder(join(folder, named)).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ name: "DataError", code });
    const { message } = error as Error;
    expect(message.startsWith(join(folder, named)), message).toBe(true);
    for (const words of says) expect(message).toContain(words);
    expect(message).toMatch(/[^.]\.$/);
  },
);

test.skipIf(process.platform === "win32")("a device in place of a folder is not called missing", async () => {
  await expect(loadFolder("/dev/null")).rejects.toMatchObject({
    code: "NOT_A_FOLDER",
    message: "/dev/null is a pipe or a device and not a folder; name the folder that has the four IDX files.",
  });
});

test("only a folder without anything is called empty", async () => {
  await expect(loadFolder(folder)).rejects.toThrow("(it is empty)");
  await mkdir(join(folder, "later"));
  await expect(loadFolder(folder)).rejects.toThrow(`(there is ${join("later", "/")})`);
  await put(".hidden", "");
  await rm(join(folder, "later"), { recursive: true });
  await expect(loadFolder(folder)).rejects.toThrow("(it has only names that begin with a dot)");
});

test.each(["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])(
  "%s in place of its folder is an error that names the folder",
  async (name) => {
    await saveFolder(folder, hats, { gzip: name.endsWith(".gz") });

    await expect(loadFolder(join(folder, name))).rejects.toMatchObject({
      code: "NOT_A_FOLDER",
      message: `${join(folder, name)} is an IDX file and not a folder; name the folder that has all four, ${folder}.`,
    });
  },
);

test("a folder that leads back to itself, and one that may not be read, are passed over", async () => {
  await put("cat/notes.txt", "A cat\n");
  await symlink(folder, join(folder, "again"));
  await symlink(join(folder, "nowhere"), join(folder, "lost"));
  await rename(join(folder, "cat"), join(folder, "zebra"));

  await expect(loadFolder(folder)).rejects.toMatchObject({ code: "FILE_MISSING" });
});
