import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { createDataset, createImageSet, type Dataset } from "./dataset.ts";
import type { DatasetSource, RemoteFile } from "./download.ts";
import { fashionMnist } from "./fashion-mnist.ts";
import { loadFolder } from "./folder.ts";
import { writeIdx } from "./idx.ts";
import { mnist } from "./mnist.ts";
import { holdsPublished } from "./published.ts";

/** Four training and two test images of 2 x 3 pixels. */
function hats(channels = 1): Dataset {
  const set = (count: number) => {
    const images = Uint8Array.from({ length: count * 6 * channels }, (_, i) => 5 * i);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
    return createImageSet({ images, shape: [2, 3, channels], count }, labels, ["bowler", "fez"]);
  };
  return createDataset("hats", set(4), set(2));
}

function published({ train, test: tested }: Dataset): DatasetSource {
  const file = (shape: readonly number[], data: Uint8Array): RemoteFile => {
    const content = writeIdx({ shape, data });
    const hex = createHash("sha256").update(content).digest("hex");
    return {
      name: "file",
      contentBytes: content.length,
      checksum: { algorithm: "sha256", of: "content", hex },
    };
  };
  const [height, width, channels] = train.shape;
  const size = channels === 1 ? [height, width] : [height, width, channels];
  return {
    name: "hats",
    mirrors: [],
    classes: train.classes,
    trainImages: file([4, ...size], train.images),
    trainLabels: file([4], train.labels),
    testImages: file([2, ...size], tested.images),
    testLabels: file([2], tested.labels),
  };
}

test.each([1, 3])("a data set of %i channels holds what was published, whatever it is called", (channels) => {
  expect(holdsPublished({ ...hats(channels), name: "mine" }, published(hats(channels)))).toBe(true);
});

test.each<[what: string, change: (dataset: Dataset) => void]>([
  ["training pixel", ({ train }) => (train.images[23] = 1)],
  ["test pixel", ({ test: tested }) => (tested.images[0] = 1)],
  ["training label", ({ train }) => (train.labels[3] = 0)],
  ["test label", ({ test: tested }) => (tested.labels[1] = 0)],
])("one other %s makes it another data set", (_, change) => {
  const source = published(hats());
  const dataset = hats();

  change(dataset);

  expect(holdsPublished(dataset, source)).toBe(false);
});

test("a part of it, or images of other sizes with the same bytes, are another data set", () => {
  const { train, test: tested } = hats();
  const source = published(hats());
  const fewer = { ...tested, images: tested.images.subarray(0, 6), labels: tested.labels.subarray(0, 1) };

  expect(holdsPublished(createDataset("hats", train, fewer), source)).toBe(false);
  const shape = [3, 2, 1] as const;
  expect(holdsPublished(createDataset("hats", { ...train, shape }, { ...tested, shape }), source)).toBe(
    false,
  );
});

describe("real Fashion-MNIST", () => {
  const debian = "/usr/share/datasets/fashion-mnist";

  test("is that and no other, and its classes have the published names", async ({ skip }) => {
    skip(!existsSync(debian), "the package dataset-fashion-mnist is not installed");

    const dataset = await loadFolder(debian);

    expect(holdsPublished(dataset, fashionMnist)).toBe(true);
    expect(holdsPublished(dataset, mnist)).toBe(false);
    expect(dataset.classes).toEqual(fashionMnist.classes);
    expect(dataset.train.classes).toEqual(fashionMnist.classes);
    expect(dataset.test.classes).toEqual(fashionMnist.classes);
  });

  test("with a classes.txt beside it has the names that stand there", async ({ skip, onTestFinished }) => {
    skip(!existsSync(debian), "the package dataset-fashion-mnist is not installed");
    const folder = mkdtempSync(join(tmpdir(), "milliner-data-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const name of readdirSync(debian)) symlinkSync(join(debian, name), join(folder, name));
    const own = Array.from({ length: 10 }, (_, i) => `clothes ${i}`);
    writeFileSync(join(folder, "classes.txt"), own.join("\n"));

    const { classes } = await loadFolder(folder);

    expect(classes).toEqual(own);
  });
});
