// What browsers, downloaders and people leave beside the four files of a data set.
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDataset, createImageSet } from "./dataset.ts";
import { loadFolder, saveFolder } from "./folder.ts";

const set = createImageSet(
  { images: Uint8Array.from({ length: 8 }, (_, i) => 31 * i), shape: [2, 2, 1], count: 2 },
  [0, 1],
  ["a", "b"],
);
const dataset = createDataset("tiny", set, set);
const images = "train-images-idx3-ubyte";

let folder = "";
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "milliner-neighbours-"));
  await saveFolder(folder, dataset);
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const bytes = (): Buffer => readFileSync(at(images));

test.each<[neighbour: string, content: (sound: Buffer) => Uint8Array | string]>([
  [`${images}.md5`, () => "68b329da9893e34099c7d8ad5cb9c940  train\n"],
  [`${images}.tmp`, (sound) => sound.subarray(0, 10)],
  [`${images}.gz.crdownload`, (sound) => gzipSync(sound).subarray(0, 20)],
  [`${images} (1)`, (sound) => sound],
  [`${images}.bak`, (sound) => sound],
  ["t10k-labels-idx1-ubyte.gz.part", () => ""],
  ["t10k-labels-idx1-ubyte.sha256", () => "nothing\n"],
])("%s beside the sound files is passed over", async (neighbour, content) => {
  writeFileSync(at(neighbour), content(bytes()));

  const { train } = await loadFolder(folder);

  expect([...train.images]).toEqual([...set.images]);
});

test.skipIf(process.platform === "win32")(
  "a link to nothing is passed over where the file lies there packed",
  async () => {
    writeFileSync(at(`${images}.gz`), gzipSync(bytes()));
    rmSync(at(images));
    symlinkSync(at("gone"), at(images));

    const { train } = await loadFolder(folder);

    expect([...train.images]).toEqual([...set.images]);
  },
);

test.skipIf(process.platform === "win32")(
  "a link to nothing is named where nothing else is that part",
  async () => {
    rmSync(at(images));
    symlinkSync(at("gone"), at(images));

    await expect(loadFolder(folder)).rejects.toMatchObject({
      code: "FILE_MISSING",
      message: `${at(images)} does not exist; check the path.`,
    });
  },
);

test("a neighbour that is the file itself is read where there is no other", async () => {
  copyFileSync(at(images), at(`${images} (1)`));
  rmSync(at(images));

  expect([...(await loadFolder(folder)).train.images]).toEqual([...set.images]);
});

test.each<[name: string, content: (sound: Buffer) => Uint8Array, what: string]>([
  [
    `${images}.xz`,
    () => Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0),
    "is an xz file, not an IDX file; unpack it first",
  ],
  [
    `${images}.bz2`,
    () => Buffer.from("BZh91AY&SY\x01", "latin1"),
    "is a bzip2 file, not an IDX file; unpack it first",
  ],
  [`${images}.zz`, (sound) => deflateSync(sound), "is a zlib stream, not an IDX file; unpack it first"],
  [
    `${images}.gz`,
    (sound) => gzipSync(gzipSync(sound)),
    "is a gzip file within gzip, not an IDX file; unpack it first",
  ],
])("%s in place of the file is named as what it is", async (name, content, what) => {
  const packed = content(bytes());
  rmSync(at(images));
  writeFileSync(at(name), packed);

  await expect(loadFolder(folder)).rejects.toMatchObject({
    code: "BAD_MAGIC",
    message: `${at(name)} ${what}.`,
  });
});

test("zeros behind a gzip member are padding, several members are one file, and anything else behind them is refused", async () => {
  const sound = bytes();
  const packed = at(`${images}.gz`);
  rmSync(at(images));
  writeFileSync(
    packed,
    Buffer.concat([gzipSync(sound.subarray(0, 9)), gzipSync(sound.subarray(9)), new Uint8Array(700)]),
  );

  expect([...(await loadFolder(folder)).train.images]).toEqual([...set.images]);
  appendFileSync(packed, "x");

  await expect(loadFolder(folder)).rejects.toMatchObject({
    code: "TRAILING_BYTES",
    message: expect.stringContaining("has 701 bytes after the end of its gzip data"),
  });
});

test("a damaged gzip file is told in words of our own", async () => {
  const packed = gzipSync(bytes());
  packed[packed.length - 6]! ^= 1; // of the checksum
  rmSync(at(images));
  writeFileSync(at(`${images}.gz`), packed);

  await expect(loadFolder(folder)).rejects.toMatchObject({
    code: "BAD_GZIP",
    message: `${at(`${images}.gz`)} cannot be unpacked: its gzip data are damaged; get the file again.`,
  });
});
