import { Stream } from "@milliner/core";
import { createDataset, createImageSet, type Dataset, type ImageSet } from "@milliner/data";
import { splitScenario } from "../split-scenario.ts";
import type { Scenario } from "../task.ts";

/** Sizes of a synthetic data set. */
export interface SyntheticOptions {
  readonly seed?: number;
  /** Default 6. */
  readonly classes?: number;
  /** Height and width of an image. Default 4. */
  readonly side?: number;
  /** Default 1. */
  readonly channels?: number;
  /** Training images of each class; half as many test. Default 24. */
  readonly imagesPerClass?: number;
}

/** A small data set that can be learned: each class is a pattern of random bytes, each image the pattern with noise. */
export function syntheticDataset(options: SyntheticOptions = {}): Dataset {
  const { seed = 1, classes = 6, side = 4, channels = 1, imagesPerClass = 24 } = options;
  const pixels = side * side * channels;
  const pattern = (label: number): Float32Array =>
    new Stream(seed, `pattern/${label}`).uniform(pixels, 0, 255);
  const patterns = Array.from({ length: classes }, (_, label) => pattern(label));
  const names = patterns.map((_, label) => `class ${label}`);
  const imageSet = (part: string, perClass: number): ImageSet => {
    const count = classes * perClass;
    const noise = new Stream(seed, `noise/${part}`).uniform(count * pixels, -60, 60);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
    const images = Uint8Array.from(noise, (value, i) => {
      const mean = patterns[labels[Math.floor(i / pixels)]!]![i % pixels]!;
      return Math.min(255, Math.max(0, Math.round(mean + value)));
    });
    return createImageSet({ images, shape: [side, side, channels], count }, labels, names);
  };
  return createDataset(
    "synthetic",
    imageSet("train", imagesPerClass),
    imageSet("test", Math.ceil(imagesPerClass / 2)),
  );
}

/** The synthetic data set in tasks of two classes: three of them unless said otherwise. */
export function syntheticScenario(options: SyntheticOptions = {}): Scenario {
  return splitScenario(syntheticDataset(options), { seed: options.seed ?? 1, validationShare: 0.25 });
}
