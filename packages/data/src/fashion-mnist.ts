import type { Dataset } from "./dataset.ts";
import { type DatasetSource, downloadDataset, type DownloadOptions } from "./download.ts";

/**
 * Fashion-MNIST: 60,000 + 10,000 pictures of clothes of 28 x 28 pixels, in the files and sizes of MNIST.
 *
 * H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
 * Algorithms", 2017. Its own page gives MD5 of the compressed files; the sums here are of what these hold, so
 * that files that somebody packed anew (Debian's package `dataset-fashion-mnist`) are as good. Its second
 * address has no https; the sums hold there too.
 */
export const fashionMnist: DatasetSource = {
  name: "fashion-mnist",
  mirrors: [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  classes: [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ],
  trainImages: {
    name: "train-images-idx3-ubyte.gz",
    contentBytes: 47_040_016,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte.gz",
    contentBytes: 60_008,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
  },
  testImages: {
    name: "t10k-images-idx3-ubyte.gz",
    contentBytes: 7_840_016,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte.gz",
    contentBytes: 10_008,
    checksum: {
      algorithm: "sha256",
      of: "content",
      hex: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
  },
};

/**
 * Fashion-MNIST from the cache, downloaded where it is not there; `downloadDataset(fashionMnist, options)`.
 *
 * @throws DataError as `downloadDataset` does
 */
export function loadFashionMnist(options: DownloadOptions = {}): Promise<Dataset> {
  return downloadDataset(fashionMnist, options);
}
