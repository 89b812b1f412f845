import type { Settings } from "../settings/settings.ts";

/** MNIST in 5 tasks of 2 digits, on 2 x 400 units. */
export const splitMnist: Settings = {
  scenario: "split",
  dataset: "mnist",
  data: null,
  range: null,
  seed: 0,
  tasks: 5,
  validation: 0.1,
  layers: 2,
  width: 400,
  inputDropout: 0.2,
  dropout: 0.5,
  epochs: 16,
  batchSize: 64,
  lr: 0.05,
  patience: 2,
  lrFactor: 3,
  lrMin: 1e-4,
  sMax: 400,
  c: 0.75,
  protection: "min",
  compensation: "windowed",
  annealing: "linear",
  precision: "float32",
  controls: ["random-body", "sgd-frozen", "sgd"],
};
