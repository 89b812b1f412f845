import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { loadFashionMnist } from "./fashion-mnist.ts";
import { loadFolder } from "./folder.ts";
import { idxImages, parseIdx } from "./idx.ts";
import { loadMnist, mnist } from "./mnist.ts";
import { measureNormalisation } from "./normalisation.ts";
import { holdsPublished } from "./published.ts";

/** Real image sets lie beside the repository, or do not: nothing depends on them. */
const realData = fileURLToPath(new URL("../../../../shared/data/", import.meta.url));
const need = (name: string) => ({
  absent: !existsSync(join(realData, name)),
  why: `../shared/data/${name} is absent`,
});

test("MNIST from a folder has its known sizes, first labels, mean and deviation", async ({ skip }) => {
  const { absent, why } = need("mnist");
  skip(absent, why);

  const dataset = await loadFolder(join(realData, "mnist"));
  const { name, train, test: tested, classes } = dataset;

  expect(holdsPublished(dataset, mnist)).toBe(true);
  expect({ name, classes }).toEqual({ name: "mnist", classes: mnist.classes });
  expect(train.shape).toEqual([28, 28, 1]);
  expect([train.labels.length, tested.labels.length]).toEqual([60_000, 10_000]);
  expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect([...tested.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  const { mean, std } = measureNormalisation(train);
  expect(mean[0]).toBeCloseTo(0.1307, 4);
  expect(std[0]).toBeCloseTo(0.3081, 4);
});

test("MNIST from the cache by its published sums equals MNIST from the folder", async ({
  skip,
  onTestFinished,
}) => {
  const { absent, why } = need("mnist");
  skip(absent, why);
  const cacheFolder = await mkdtemp(join(tmpdir(), "milliner-cache-"));
  onTestFinished(() => rm(cacheFolder, { recursive: true }));
  await symlink(join(realData, "mnist"), join(cacheFolder, "mnist"));

  const cached = await loadMnist({ cacheFolder, offline: true });

  const { train, test: tested } = await loadFolder(join(realData, "mnist"));
  expect(Buffer.compare(cached.train.images, train.images)).toBe(0);
  expect(Buffer.compare(cached.train.labels, train.labels)).toBe(0);
  expect(Buffer.compare(cached.test.images, tested.images)).toBe(0);
  expect(Buffer.compare(cached.test.labels, tested.labels)).toBe(0);
});

test("MNIST downloads whole from an address and passes its published sums", async ({
  skip,
  onTestFinished,
}) => {
  const { absent, why } = need("mnist");
  skip(absent, why);
  const cacheFolder = await mkdtemp(join(tmpdir(), "milliner-cache-"));
  onTestFinished(() => rm(cacheFolder, { recursive: true }));
  const server = createServer((request, response) => {
    readFile(join(realData, "mnist", request.url ?? "")).then(
      (body) => response.end(body),
      () => response.writeHead(404).end(),
    );
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });

  const { train } = await loadMnist({
    cacheFolder,
    mirrors: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
  });

  expect(train.labels).toHaveLength(60_000);
  expect(await readdir(join(cacheFolder, "mnist"))).toHaveLength(4);
});

/** Debian's package `dataset-fashion-mnist`: the published content, packed anew. */
const debianSets = "/usr/share/datasets";

test("Fashion-MNIST that somebody else packed passes the published sums of its content", async ({ skip }) => {
  skip(!existsSync(join(debianSets, "fashion-mnist")), "the package dataset-fashion-mnist is not installed");

  const { train, test: tested, classes } = await loadFashionMnist({ cacheFolder: debianSets, offline: true });

  expect(classes[9]).toBe("Ankle boot");
  expect([...train.labels.subarray(0, 5)]).toEqual([9, 0, 0, 3, 0]);
  expect([train.labels.length, tested.labels.length]).toEqual([60_000, 10_000]);
  const { mean, std } = measureNormalisation(train);
  expect(mean[0]).toBeCloseTo(0.286, 4);
  expect(std[0]).toBeCloseTo(0.353, 4);
});

test("padded to 32 x 32, MNIST has the mean and deviation of the mixture's table (hat.md 5.1)", async ({
  skip,
}) => {
  const { absent, why } = need("mnist");
  skip(absent, why);
  const { images } = (await loadFolder(join(realData, "mnist"))).train;
  const padded = new Uint8Array(60_000 * 32 * 32);
  padded.set(images); // where the zeros are does not matter to mean and deviation

  const { mean, std } = measureNormalisation({ images: padded, shape: [32, 32, 1] });

  expect(mean[0]).toBeCloseTo(0.1, 3);
  expect(std[0]).toBeCloseTo(0.2752, 4);
});

test("letters that nobody labelled with care are a data set like any other", async ({ skip }) => {
  const { absent, why } = need("notmnist");
  skip(absent, why);

  const { train, test: tested, classes } = await loadFolder(join(realData, "notmnist"));

  expect(classes).toHaveLength(10);
  expect([train.labels.length, tested.labels.length]).toEqual([8000, 2000]);
});

test("traffic signs in files of four dimensions have three channels and 43 classes", async ({ skip }) => {
  const { absent, why } = need("gtsrb");
  skip(absent, why);

  const { train, test: tested, classes } = await loadFolder(join(realData, "gtsrb"));

  expect(classes).toHaveLength(43);
  expect(train.shape).toEqual([32, 32, 3]);
  expect([train.labels.length, tested.labels.length]).toEqual([1720, 430]);
  expect(measureNormalisation(train).mean).toHaveLength(3);
});

test.for([
  {
    folder: "cifar10",
    says: "no IDX files, but data_batch_1.bin.gz, which is in the binary form of CIFAR-10;",
  },
  { folder: "cifar100", says: "no IDX files, but test.bin.gz, which is in the binary form of CIFAR-100;" },
  {
    folder: "tinyimagenet32",
    says: "no IDX files, but test.bin.gz, which is in the binary form of CIFAR-100;",
  },
])("a folder of another format, $folder, is an error that says what is there", async (known, { skip }) => {
  const { absent, why } = need(known.folder);
  skip(absent, why);

  await expect(loadFolder(join(realData, known.folder))).rejects.toMatchObject({
    code: "UNSUPPORTED_FORMAT",
    message: expect.stringContaining(known.says),
  });
});

test("a folder of data sets is an error that names those which can be read", async ({ skip }) => {
  const { absent, why } = need("mnist");
  skip(absent, why);

  await expect(loadFolder(realData)).rejects.toMatchObject({
    code: "FILE_MISSING",
    message: expect.stringMatching(/has no IDX files itself, but .*mnist and .* have; name /),
  });
});

test("a real file parses to the shape that its name promises", async ({ skip }) => {
  const { absent, why } = need("gtsrb");
  skip(absent, why);
  const name = "t10k-images-idx4-ubyte.gz";

  const images = idxImages(await parseIdx(await readFile(join(realData, "gtsrb", name)), name), name);

  expect(images).toMatchObject({ shape: [32, 32, 3], count: 430 });
});
