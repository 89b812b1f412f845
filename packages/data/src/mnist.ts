import type { Dataset } from "./dataset.ts";
import { type DatasetSource, downloadDataset, type DownloadOptions } from "./download.ts";

/**
 * MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 pixels.
 *
 * Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
 * Proceedings of the IEEE 86 (1998). The original address no longer answers everybody; these two are the
 * mirrors in common use. The sums are of the content, so a mirror that packed the files anew is as good.
 */
export const mnist: DatasetSource = {
  name: "mnist",
  mirrors: [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
  ],
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  trainImages: {
    name: "train-images-idx3-ubyte.gz",
    contentBytes: 47_040_016,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte.gz",
    contentBytes: 60_008,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
  },
  testImages: {
    name: "t10k-images-idx3-ubyte.gz",
    contentBytes: 7_840_016,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte.gz",
    contentBytes: 10_008,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
  },
};

/**
 * MNIST from the cache, downloaded where it is not there; `downloadDataset(mnist, options)`.
 *
 * @throws DataError as `downloadDataset` does
 */
export function loadMnist(options: DownloadOptions = {}): Promise<Dataset> {
  return downloadDataset(mnist, options);
}
