import { join, resolve } from "node:path";

import { ensureFolder, removeFile, writeFileAtomically } from "./atomic-file.ts";
import { readBoundedFile } from "./bounded-file.ts";
import type { PixelRange } from "./byte-values.ts";
import { parseClassNames } from "./class-names.ts";
import { DataError } from "./data-error.ts";
import { createDataset, createImageSet, type Dataset, type ImageSet, numberedClasses } from "./dataset.ts";
import { unsyncedWarning } from "./flush.ts";
import { datasetName, findIdxFolder, listFiles } from "./folder-layout.ts";
import { maxPackedBytes } from "./gzip.ts";
import { findParts, type Part, type Split } from "./idx-files.ts";
import { areChannelsFirst, idxImages, idxLabels, maxIdxBytes, parseIdx, writeIdx } from "./idx.ts";
import { isFolder } from "./is-folder.ts";
import { checkKeys } from "./option-keys.ts";
import { printable } from "./printable.ts";
import { withPublishedClasses } from "./published.ts";

export interface FolderOptions {
  /** The data set's name. Default: the folder's. */
  readonly name?: string | undefined;
  /** The largest content of a single file to take memory for, in bytes. Default 2,147,483,647. */
  readonly maxBytes?: number | undefined;
  /** Of pixels that are floats: what black and white are, usually [0, 1]. Without it floats are refused. */
  readonly range?: PixelRange | undefined;
}

const maxClassNamesBytes = 2 ** 20;

/**
 * Reads a folder of four IDX files as a data set.
 *
 * Files are recognised by their first bytes, plain or gzip, whatever their number of dimensions; names only
 * tell training (`train...`) from test (`t10k...`, `test...`). Where a file lies there both plain and
 * compressed, the plain one is read. A name that goes on after an IDX file's (`...ubyte.md5`, `...ubyte.gz.part`) and a
 * link to nothing are passed over where the file itself is there. Other files are ignored, except `classes.txt` or one
 * `...label_names.txt`, which names the classes, a line each; without it the classes of MNIST and Fashion-MNIST, which are
 * recognised by their content, have their published names, and others are called by their labels, "0" to the largest; a file
 * that is nearly called so is not read, and a warning names it. Where the folder has no IDX file, one in `raw` or in one
 * `NAME/raw` below it is read: torchvision keeps MNIST so.
 *
 * @param folder - path of the folder
 * @returns the data set; nothing of it refers to the files any more
 * @throws DataError with the file's path in the message: `FILE_MISSING`, `FILE_AMBIGUOUS`, `NOT_A_FOLDER`,
 *   `UNSUPPORTED_FORMAT` (images by class, CSV, archives), `READ_FAILED`, `BAD_CLASS_NAMES`, and what `parseIdx`, `idxLabels`, `idxImages`, `createImageSet` and `createDataset`
 *   throw
 */
export async function loadFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  checkKeys("loadFolder", options, { name: true, maxBytes: true, range: true });
  const place = await findIdxFolder(resolve(folder));
  const fileNames = await listFiles(place);
  const files = await findParts(place, fileNames);
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
  const named = await readClassNames(place, fileNames);
  const classes = named?.classes ?? numberedClasses(labelsOfTrain, labelsOfTest);

  const warnings = named === undefined ? unreadClassNames(place, fileNames, files) : [];
  const loadSet = async (split: Split, labels: Uint8Array, labelsPath: string): Promise<ImageSet> => {
    const { path, array } = await read(`${split} images`, options.range);
    const images = idxImages(array, path);
    warnings.push(...(images.warnings ?? []));
    return createImageSet(images, labels, classes, {
      images: path,
      labels: labelsPath,
      classes: named?.path,
    });
  };
  const train = await loadSet("train", labelsOfTrain, trainLabels.path);
  const test = await loadSet("test", labelsOfTest, testLabels.path);
  const loaded = createDataset(options.name ?? datasetName(place), train, test);
  const dataset = named === undefined ? withPublishedClasses(loaded) : loaded;
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
  checkKeys("saveFolder", options, { gzip: "switch" });
  const place = resolve(folder);
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
    await writeFileAtomically(join(place, kept), writeIdx({ shape, data }, options));
    await removeFile(join(place, replaced)); // else an older data set would be read in place of this one
  };
  await ensureFolder(place);
  const refused = await writeFileAtomically(join(place, "classes.txt"), classNames);
  if (refused !== null) process.emitWarning(printable(unsyncedWarning(place, refused)));
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

async function readClassNames(
  folder: string,
  fileNames: readonly string[],
): Promise<{ readonly classes: readonly string[]; readonly path: string } | undefined> {
  if (!fileNames.includes("classes.txt") && (await isFolder(join(folder, "classes.txt")))) {
    throw new DataError(
      "BAD_CLASS_NAMES",
      `${join(folder, "classes.txt")} is a folder, not a list of class names; rename it, or write a file with one name a line there.`,
    );
  }
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
  return { classes: parseClassNames(await readBoundedFile(path, maxClassNamesBytes), path), path };
}

// What people and other data sets call such a file: Classes.txt, labels.txt, class_names.csv, emnist-letters-mapping.txt.
const likeClassNames =
  /^(?:names?|(?:.*[-_. ])?(?:class(?:es)?|labels?|categor(?:y|ies)|mapping)(?:[-_ .]?(?:names?|map|list|to[-_]idx))?)(?:\.(?:txt|csv|tsv|json|names|list|pbtxt|ya?ml|gz))*$/i;

/** A file that may have been meant to name the classes, where none does: they would silently be called by their labels. */
function unreadClassNames(
  folder: string,
  fileNames: readonly string[],
  parts: ReadonlyMap<Part, string>,
): string[] {
  const used = new Set(parts.values());
  const unread = fileNames.find(
    (fileName) =>
      likeClassNames.test(fileName) &&
      !/train|test|t10k|val/i.test(fileName) && // labels of images
      !used.has(join(folder, fileName)),
  );
  return unread === undefined
    ? []
    : [
        `${join(folder, unread)} is not read: class names stand in classes.txt, a line each; call it so if it names the classes.`,
      ];
}
