import { Stream } from "@milliner/core";
import { createDataset, createImageSet, type Dataset, type ImageSet } from "@milliner/data";

const size = 8;
const classes = ["a", "b", "c", "d", "e", "f"];

/** Noise with one row, whose number is the class, brighter by `contrast`. */
function imageSet(count: number, stream: string, contrast: number): ImageSet {
  const labels = Uint8Array.from({ length: count }, (_, image) => image % classes.length);
  const noise = new Stream(1, stream).uniform(count * size * size, 0, 100);
  const images = Uint8Array.from(noise, (value, i) => {
    const row = Math.floor(i / size) % size;
    return Math.floor(value) + (row === labels[Math.floor(i / (size * size))] ? contrast : 0);
  });
  return createImageSet({ images, shape: [size, size, 1], count }, labels, classes);
}

/** 8 x 8 images of 6 classes that a small network learns within a second; without an error at the usual contrast. */
export function tinyDataset({ contrast = 120, test = 120 } = {}): Dataset {
  return createDataset("tiny", imageSet(600, "train", contrast), imageSet(test, "test", contrast));
}

/** Settings under which it does. */
export const tinySettings = {
  tasks: 3,
  epochs: 6,
  width: 32,
  lr: 0.2,
  batchSize: 32,
  dropout: 0.1,
  inputDropout: 0,
  controls: ["random-body", "sgd"],
} as const;

/** The same as options of the command, some of them replaced. */
export function tinyOptions(changes: Readonly<Record<string, string | number>> = {}): readonly string[] {
  const { controls, ...rest } = tinySettings;
  const all = { ...rest, controls: controls.join(","), ...changes };
  return Object.entries(all).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
}
