import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";

import { removeFile, writeFileAtomically } from "./atomic-file.ts";
import { readBoundedFile, readError, readFilePrefix } from "./bounded-file.ts";
import type { PixelRange } from "./byte-values.ts";
import { parseClassNames } from "./class-names.ts";
import { DataError } from "./data-error.ts";
import { createDataset, createImageSet, type Dataset, type ImageSet, numberedClasses } from "./dataset.ts";
import { gunzipPrefix, isGzip, maxPackedBytes } from "./gzip.ts";
import {
  areChannelsFirst,
  idxContent,
  idxImages,
  idxLabels,
  maxIdxBytes,
  parseIdx,
  writeIdx,
} from "./idx.ts";

export interface FolderOptions {
  /** The data set's name. Default: the folder's. */
  readonly name?: string | undefined;
  /** The largest content of a single file to take memory for, in bytes. Default 2,147,483,647. */
  readonly maxBytes?: number | undefined;
  /** Of pixels that are floats: what black and white are, usually [0, 1]. Without it floats are refused. */
  readonly range?: PixelRange | undefined;
}

type Split = "train" | "test";
type Content = "images" | "labels";
type Part = `${Split} ${Content}`;

/** The four files and what one calls them when they are missing. */
const parts: ReadonlyMap<Part, string> = new Map([
  ["train images", "train-images-idx3-ubyte"],
  ["train labels", "train-labels-idx1-ubyte"],
  ["test images", "t10k-images-idx3-ubyte"],
  ["test labels", "t10k-labels-idx1-ubyte"],
]);

/** A gzip file may begin with a file name and a comment; the content's first bytes come soon after. */
const sniffBytes = 4096;
const maxClassNamesBytes = 2 ** 20;

/**
 * Reads a folder of four IDX files as a data set.
 *
 * Files are recognised by their first bytes, plain or gzip, whatever their number of dimensions; names only
 * tell training (`train...`) from test (`t10k...`, `test...`). Where a file lies there both plain and
 * compressed, the plain one is read. Other files are ignored, except `classes.txt` or one
 * `...label_names.txt`, which names the classes, a line each; without it classes are called by their labels,
 * "0" to the largest.
 *
 * @param folder - path of the folder
 * @returns the data set; nothing of it refers to the files any more
 * @throws DataError with the file's path in the message: `FILE_MISSING`, `FILE_AMBIGUOUS`, `READ_FAILED`,
 *   `BAD_CLASS_NAMES`, and what `parseIdx`, `idxLabels`, `idxImages`, `createImageSet` and `createDataset`
 *   throw
 */
export async function loadFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  const fileNames = await listFiles(folder);
  const files = await findParts(folder, fileNames);
  const maxBytes = options.maxBytes ?? maxIdxBytes;
  const read = async (part: Part, range?: PixelRange) => {
    const path = files.get(part)!;
    const bytes = await readBoundedFile(path, maxPackedBytes(maxBytes));
    return { path, array: await parseIdx(bytes, path, { maxBytes, range }) };
  };
  // One after the other, labels first: what is wrong with a small file shows before the large one is
  // unpacked.
  const trainLabels = await read("train labels");
  const testLabels = await read("test labels");
  const labelsOfTrain = idxLabels(trainLabels.array, trainLabels.path);
  const labelsOfTest = idxLabels(testLabels.array, testLabels.path);
  const classes = (await readClassNames(folder, fileNames)) ?? numberedClasses(labelsOfTrain, labelsOfTest);

  const warnings: string[] = [];
  const loadSet = async (split: Split, labels: Uint8Array, labelsPath: string): Promise<ImageSet> => {
    const { path, array } = await read(`${split} images`, options.range);
    const images = idxImages(array, path);
    warnings.push(...(images.warnings ?? []));
    return createImageSet(images, labels, classes, { images: path, labels: labelsPath });
  };
  const train = await loadSet("train", labelsOfTrain, trainLabels.path);
  const test = await loadSet("test", labelsOfTest, testLabels.path);
  const dataset = createDataset(options.name ?? basename(resolve(folder)), train, test);
  return { ...dataset, warnings: [...warnings, ...dataset.warnings] };
}

/**
 * Writes a data set as a folder that `loadFolder` reads back: four IDX files and `classes.txt`. Each file
 * appears whole or not at all, so a new folder that has all four is complete.
 *
 * @param folder - made where it is missing; files of the same names, with .gz and without, are replaced
 * @param dataset - what to write
 * @param options - `gzip`: compress the IDX files, default false
 * @throws DataError `WRITE_FAILED`; `BAD_CLASS_NAMES` when a class name cannot stand on a line; `BAD_SHAPE` when the images
 *   would be read back as channels first
 */
export async function saveFolder(
  folder: string,
  dataset: Dataset,
  options: { readonly gzip?: boolean | undefined } = {},
): Promise<void> {
  const classNames = new TextEncoder().encode(dataset.classes.map((className) => `${className}\n`).join(""));
  const readBack = parseClassNames(classNames, "classes.txt");
  const lost = dataset.classes.findIndex((className, label) => className !== readBack[label]);
  if (lost >= 0) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `class ${lost} of ${dataset.name} is called ${JSON.stringify(dataset.classes[lost])}; leave out white space around it.`,
    );
  }
  const [height, width, channels] = dataset.train.shape;
  if (areChannelsFirst(height, width, channels)) {
    throw new DataError(
      "BAD_SHAPE",
      `${dataset.name} has images of ${height} x ${width} pixels with ${channels} channels, which would be read back as channels ` +
        `first; exchange height and width.`,
    );
  }
  const save = async (fileName: string, shape: readonly number[], data: Uint8Array): Promise<void> => {
    const [kept, replaced] =
      options.gzip === true ? [`${fileName}.gz`, fileName] : [fileName, `${fileName}.gz`];
    await writeFileAtomically(join(folder, kept), writeIdx({ shape, data }, options));
    await removeFile(join(folder, replaced)); // else an older data set would be read in place of this one
  };
  await writeFileAtomically(join(folder, "classes.txt"), classNames);
  const sets: readonly (readonly [string, ImageSet])[] = [
    ["train", dataset.train],
    ["t10k", dataset.test],
  ];
  for (const [prefix, { labels }] of sets) await save(`${prefix}-labels-idx1-ubyte`, [labels.length], labels);
  for (const [prefix, { images, labels }] of sets) {
    const dimensions = channels === 1 ? [height, width] : [height, width, channels];
    await save(`${prefix}-images-idx${1 + dimensions.length}-ubyte`, [labels.length, ...dimensions], images);
  }
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    // Links stay: what they lead to shows when they are opened. Names with a dot are half-written files, here
    // and elsewhere.
    return entries
      .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && !entry.name.startsWith("."))
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    throw readError(folder, error);
  }
}

async function findParts(folder: string, fileNames: readonly string[]): Promise<ReadonlyMap<Part, string>> {
  const found = new Map<Part, string[]>();
  const unassigned: string[] = [];
  for (const fileName of fileNames) {
    const content = await sniff(join(folder, fileName));
    if (content === undefined) continue;
    checkName(join(folder, fileName), fileName, content);
    const split = splitOf(fileName);
    if (split === undefined) {
      unassigned.push(fileName);
      continue;
    }
    const part: Part = `${split} ${content}`;
    found.set(part, [...(found.get(part) ?? []), fileName]);
  }

  const files = new Map<Part, string>();
  for (const [part, example] of parts) {
    const plainOrPacked = found.get(part) ?? [];
    const candidates = plainOrPacked.filter(
      (name) => !plainOrPacked.includes(name.replace(/\.gz$/i, "")) || !isGz(name),
    );
    const [fileName, second] = candidates;
    if (fileName === undefined) throw missingPart(folder, part, example, fileNames, unassigned);
    if (second !== undefined) {
      throw new DataError(
        "FILE_AMBIGUOUS",
        `${folder} has several files of ${part}, ${fileName} and ${second}; leave one of them there.`,
      );
    }
    files.set(part, join(folder, fileName));
  }
  return files;
}

function missingPart(
  folder: string,
  part: Part,
  example: string,
  fileNames: readonly string[],
  unassigned: readonly string[],
): DataError {
  if (unassigned.length > 0) {
    return new DataError(
      "FILE_MISSING",
      `${folder} has no IDX file of ${part}, and it cannot be told what ${unassigned[0]} is; begin its name with ` +
        `"train" or "test", for example ${example}.`,
    );
  }
  const shown = fileNames.slice(0, 4).join(", ");
  const there =
    fileNames.length === 0 ? "it is empty" : `there are ${shown}${fileNames.length > 4 ? ", ..." : ""}`;
  return new DataError(
    "FILE_MISSING",
    `${folder} has no IDX file of ${part} (${there}); put ${example} there, plain or as .gz, or name another folder.`,
  );
}

/** What an IDX file holds, or undefined for any other file. */
async function sniff(path: string): Promise<Content | undefined> {
  const isNamedIdx = /idx\d|ubyte/i.test(basename(path));
  try {
    const start = await readFilePrefix(path, sniffBytes);
    const content = idxContent(isGzip(start) ? await gunzipPrefix(start, path, 4) : start);
    // A file that claims by its name to be one of ours is not passed over: its parser says what is wrong with
    // it.
    if (content !== undefined || !isNamedIdx) return content;
    const { shape } = await parseIdx(await readBoundedFile(path, maxIdxBytes), path);
    return shape.length === 1 ? "labels" : "images";
  } catch (error) {
    if (error instanceof DataError && !isNamedIdx) return undefined;
    throw error;
  }
}

/**
 * Catches files that were swapped: a name that contradicts the content is an error, whichever of the two is
 * wrong.
 */
function checkName(path: string, fileName: string, content: Content): void {
  const claims = { images: /image/i.test(fileName), labels: /label/i.test(fileName) };
  if (content === "images" && claims.labels && !claims.images) {
    throw new DataError(
      "BAD_MAGIC",
      `${path} holds images (3 or 4 dimensions), not labels (1 dimension): swapped?`,
    );
  }
  if (content === "labels" && claims.images && !claims.labels) {
    throw new DataError(
      "BAD_MAGIC",
      `${path} holds labels (1 dimension), not images (3 or 4 dimensions): swapped?`,
    );
  }
}

function splitOf(fileName: string): Split | undefined {
  const isTrain = /(?:^|[^a-z])train/i.test(fileName);
  const isTest = /(?:^|[^a-z])(?:t10k|test)/i.test(fileName);
  if (isTrain === isTest) return undefined;
  return isTrain ? "train" : "test";
}

function isGz(fileName: string): boolean {
  return /\.gz$/i.test(fileName);
}

async function readClassNames(
  folder: string,
  fileNames: readonly string[],
): Promise<readonly string[] | undefined> {
  const named = fileNames.filter((fileName) => /label_names\.txt$/i.test(fileName));
  const [fileName, second] = fileNames.includes("classes.txt") ? ["classes.txt"] : named;
  if (fileName === undefined) return undefined;
  if (second !== undefined) {
    throw new DataError(
      "FILE_AMBIGUOUS",
      `${folder} has ${named.length} files of class names, ${fileName} and ${second}; call the right one classes.txt.`,
    );
  }
  const path = join(folder, fileName);
  return parseClassNames(await readBoundedFile(path, maxClassNamesBytes), path);
}
