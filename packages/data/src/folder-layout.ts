import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";

import { readError, readFilePrefix, readFileSuffix } from "./bounded-file.ts";
import { recogniseCifar } from "./cifar.ts";
import { DataError } from "./data-error.ts";
import { companionKinds, type FileKind, fileKindBytes, imageKinds, recogniseFile } from "./file-kind.ts";
import { gunzipPrefix, gzipContentBytes, isGzip } from "./gzip.ts";
import { hasIdxFile, missingPart, namesInWords } from "./idx-files.ts";

interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** Whether not even a hidden name is there. */
  readonly isEmpty: boolean;
}

/** So many entries of a folder are looked at to say what it is: a folder of images may have a million. */
const largestLook = 100;
/** So many files and folders are opened for it in all, and so many levels of folders gone down: `data/train/CLASS/IMAGE`. */
const mostFiles = 1000;
const mostLevels = 3;
const writeIdxFiles = "write the images as IDX files: docs/how-to/own-images.md says how";

/** The names of a folder's files, in order. @throws DataError when it is none, with what it is */
export async function listFiles(folder: string): Promise<readonly string[]> {
  return (await list(folder)).files;
}

/**
 * The folder that the IDX files lie in: the one that is named, or `raw` or one `NAME/raw` below it, where torchvision puts
 * them. Where there are none, but something is that people have in their place, the error says what.
 *
 * @returns a folder with an IDX file
 * @throws DataError `FILE_MISSING`, `NOT_A_FOLDER`, `FILE_AMBIGUOUS`, `UNSUPPORTED_FORMAT`, `READ_FAILED`
 */
export async function findIdxFolder(folder: string): Promise<string> {
  const listing = await list(folder);
  if (await hasIdxFile(folder, listing.files)) return folder;
  const folders = listing.folders.slice(0, largestLook);
  const raw = await withIdxFiles(folder, ["raw", ...folders.map((name) => join(name, "raw"))]);
  const [only, second] = raw;
  if (second !== undefined) {
    throw new DataError(
      "FILE_AMBIGUOUS",
      `${folder} has no IDX files itself, but ${raw.join(" and ")} have; name one of them.`,
    );
  }
  if (only !== undefined) return join(folder, only);
  const below = await withIdxFiles(folder, folders);
  if (below.length > 0) {
    throw new DataError(
      "FILE_MISSING",
      `${folder} has no IDX files itself, but ${below.join(" and ")} ${below.length > 1 ? "have" : "has"}; name ` +
        `${join(folder, below[0]!)}${below.length > 1 ? ", for example" : ""}.`,
    );
  }
  const foreign = await firstForeignFile(folder, listing, mostLevels, { files: mostFiles });
  if (foreign !== undefined) throw await foreignError(folder, foreign);
  throw missingPart(folder, "train images", await contents(folder, listing));
}

/** What folders are called for the form of the files in them, whatever these show: torchvision's `raw`, EMNIST's `gzip`. */
const containers: ReadonlySet<string> = new Set([
  "raw",
  "processed",
  "gzip",
  "gz",
  "idx",
  "data",
  "dataset",
  "images",
  "files",
]);

/** What a data set is called after the folder of its files, or after the one that this is only the container of. */
export function datasetName(folder: string): string {
  let named = folder;
  while (containers.has(basename(named).toLowerCase())) named = dirname(named);
  return basename(named) || basename(folder);
}

async function list(folder: string): Promise<Listing> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const status = await stat(folder).catch(() => undefined);
    if (status?.isFile() === true) throw await fileError(folder);
    if (status?.isDirectory() === false) {
      const sentence = `${folder} is a pipe or a device and not a folder; name the folder that has the four IDX files.`;
      throw new DataError("NOT_A_FOLDER", sentence, { cause: error });
    }
    throw readError(folder, error);
  }
  // Names with a dot are half-written files, here and elsewhere. Links stay: what they lead to shows when they are opened.
  const shown = entries.filter(({ name }) => !name.startsWith("."));
  const names = (wanted: typeof entries): string[] => wanted.map(({ name }) => name).toSorted();
  return {
    files: names(shown.filter((entry) => entry.isFile() || entry.isSymbolicLink())),
    folders: names(shown.filter((entry) => entry.isDirectory() || entry.isSymbolicLink())),
    isEmpty: entries.length === 0,
  };
}

/** What a folder has in place of IDX files, in words: of folders what is in them, for their names alone say little. */
async function contents(folder: string, { files, folders, isEmpty }: Listing): Promise<string> {
  if (isEmpty) return "it is empty";
  const shown = [...files];
  for (const name of folders.filter((each) => !files.includes(each)).slice(0, largestLook)) {
    const below = await list(join(folder, name)).catch(() => undefined);
    const names = [...(below?.files ?? []), ...(below?.folders ?? []).map((each) => join(each, "/"))];
    shown.push(...(names.length === 0 ? [join(name, "/")] : names.map((each) => join(name, each))));
  }
  return shown.length === 0 ? "it has only names that begin with a dot" : namesInWords(shown);
}

/** Those of some folders, there or not, that have IDX files. */
async function withIdxFiles(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    const files = await listFiles(join(folder, name)).catch(() => []);
    if (await hasIdxFile(join(folder, name), files.slice(0, largestLook))) found.push(name);
  }
  return found;
}

/** What a file is; of what gzip packed, that. */
async function kindOf(path: string): Promise<FileKind | undefined> {
  const start = await readFilePrefix(path, 4096);
  const { size, end } = await readFileSuffix(path, 4);
  const isPacked = isGzip(start);
  const found = recogniseFile(isPacked ? await gunzipPrefix(start, path, fileKindBytes) : start);
  const cifar = recogniseCifar(path, found, isPacked ? gzipContentBytes(end) : size);
  return cifar ?? found ?? recogniseFile(start);
}

/** Somebody named a file where a folder is wanted. */
async function fileError(path: string): Promise<DataError> {
  const found = await kindOf(path).catch(() => undefined);
  if (found?.kind === "idx") {
    return new DataError(
      "NOT_A_FOLDER",
      `${path} is an IDX file and not a folder; name the folder that has all four, ${dirname(path)}.`,
    );
  }
  if (found === undefined || found.kind === "text") {
    return new DataError(
      "NOT_A_FOLDER",
      `${path} is a file and not a folder; name the folder that has the four IDX files.`,
    );
  }
  return new DataError(
    "UNSUPPORTED_FORMAT",
    `${path} is ${found.what} and not a folder of IDX files; ${found.advice ?? writeIdxFiles}.`,
  );
}

interface ForeignFile extends FileKind {
  readonly path: string;
}

/** The first file that tells what a folder is, in it or so many levels below. */
async function firstForeignFile(
  folder: string,
  { files, folders }: Listing,
  levels: number,
  left: { files: number },
): Promise<ForeignFile | undefined> {
  for (const name of files.slice(0, Math.min(largestLook, left.files))) {
    left.files--;
    const path = join(folder, name);
    const found = await kindOf(path).catch(() => undefined);
    if (found !== undefined && isTelling(found, name)) return { path, ...found };
  }
  if (levels === 0) return undefined;
  for (const name of folders.slice(0, largestLook)) {
    if (left.files <= 0) return undefined;
    left.files--; // a folder counts too: one may lead back to where we are
    const below = join(folder, name);
    const listing = await list(below).catch(() => undefined);
    const found = listing && (await firstForeignFile(below, listing, levels - 1, left));
    if (found !== undefined) return found;
  }
  return undefined;
}

function isTelling({ kind }: FileKind, name: string): boolean {
  if (kind === "csv") return /\.[ct]sv(?:\.gz)?$/i.test(name);
  return !companionKinds.has(kind);
}

async function foreignError(folder: string, { kind, path, what, advice }: ForeignFile): Promise<DataError> {
  const classFolders = dirname(dirname(path));
  if (imageKinds.has(kind) && dirname(path) !== folder) {
    const names = (await list(classFolders)).folders;
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    const where = classFolders === folder ? "" : ` in ${relative(folder, classFolders)}`;
    return new DataError(
      "UNSUPPORTED_FORMAT",
      `${folder} has images in folders by class (${names.slice(0, 3).join(", ")}${more}${where}), which are not read yet; ` +
        `${writeIdxFiles}.`,
    );
  }
  return new DataError(
    "UNSUPPORTED_FORMAT",
    `${folder} has no IDX files, but ${relative(folder, path)}, which is ${what}; ${advice ?? writeIdxFiles}.`,
  );
}
