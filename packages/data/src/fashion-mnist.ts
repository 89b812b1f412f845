import type { Dataset } from "./dataset.ts";
import { type DatasetSource, downloadDataset, type DownloadOptions } from "./download.ts";

/**
 * Fashion-MNIST: 60,000 + 10,000 pictures of clothes of 28 x 28 pixels, in the files and sizes of MNIST.
 *
 * H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
 * Algorithms", 2017. The sums are those on its own page: MD5 of the compressed files. Its second address has
 * no https; the sums hold there too.
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
    checksum: { algorithm: "md5", of: "file", hex: "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte.gz",
    contentBytes: 60_008,
    checksum: { algorithm: "md5", of: "file", hex: "25c81989df183df01b3e8a0aad5dffbe" },
  },
  testImages: {
    name: "t10k-images-idx3-ubyte.gz",
    contentBytes: 7_840_016,
    checksum: { algorithm: "md5", of: "file", hex: "bef4ecab320f06d8554ea6380940ec79" },
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte.gz",
    contentBytes: 10_008,
    checksum: { algorithm: "md5", of: "file", hex: "bb300cfdad3c16e7a12a480ee83cd310" },
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
