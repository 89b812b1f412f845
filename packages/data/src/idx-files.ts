import { stat } from "node:fs/promises";
import { basename, join } from "node:path";

import { readBoundedFile, readFilePrefix } from "./bounded-file.ts";
import { DataError } from "./data-error.ts";
import { gunzipPrefix, isGzip } from "./gzip.ts";
import { idxContent, maxIdxBytes, parseIdx } from "./idx.ts";
import { errorCode } from "./thrown.ts";

export type Split = "train" | "test";
type Content = "images" | "labels";
export type Part = `${Split} ${Content}`;

/** The four files and what one calls them when they are missing. */
const parts: ReadonlyMap<Part, string> = new Map([
  ["train images", "train-images-idx3-ubyte"],
  ["train labels", "train-labels-idx1-ubyte"],
  ["test images", "t10k-images-idx3-ubyte"],
  ["test labels", "t10k-labels-idx1-ubyte"],
]);

/** A gzip file may begin with a file name and a comment; the content's first bytes come soon after. */
const sniffBytes = 4096;

/** Whether any of a folder's files is an IDX file, or claims by its name to be one. */
export async function hasIdxFile(folder: string, fileNames: readonly string[]): Promise<boolean> {
  for (const fileName of fileNames) {
    if (isNamedIdx(fileName) || (await sniff(join(folder, fileName))) !== undefined) return true;
  }
  return false;
}

/**
 * The four files of a data set among those of a folder.
 * @throws DataError `FILE_MISSING`, `FILE_AMBIGUOUS`, `BAD_MAGIC` for files that were swapped, and as `parseIdx` does
 */
export async function findParts(
  folder: string,
  fileNames: readonly string[],
): Promise<ReadonlyMap<Part, string>> {
  const found = new Map<Part, string[]>();
  const unassigned: string[] = [];
  for (const fileName of fileNames) {
    const path = join(folder, fileName);
    const content = (await isDangling(path)) ? undefined : await sniff(path);
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
    const all = found.get(part) ?? [];
    const own = all.filter((name) => !isNeighbour(name));
    const plainOrPacked = own.length > 0 ? own : all;
    const candidates = plainOrPacked.filter(
      (name) => !plainOrPacked.includes(name.replace(/\.gz$/i, "")) || !isGz(name),
    );
    const [fileName, second] = candidates;
    if (fileName === undefined) await explainClaims(folder, part, fileNames);
    if (fileName === undefined) throw withoutPart(folder, part, example, fileNames, unassigned);
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

/** Whether a path is a link to nothing: what it would be another file may be, plain or packed. */
async function isDangling(path: string): Promise<boolean> {
  return await stat(path).then(
    () => false,
    (error: unknown) => errorCode(error) === "ENOENT",
  );
}

/**
 * Says of a part that is missing what is wrong with those files that claim by their names to be it.
 * @throws DataError as `parseIdx` does: a link to nothing, another packing, a page in place of the file
 */
async function explainClaims(folder: string, part: Part, fileNames: readonly string[]): Promise<void> {
  const content = part.endsWith("images") ? /image/i : /label/i;
  for (const fileName of fileNames) {
    const claims = (isNamedIdx(fileName) || isNeighbour(fileName)) && content.test(fileName);
    if (claims && part.startsWith(splitOf(fileName) ?? "neither")) await sniff(join(folder, fileName), true);
  }
}

function withoutPart(
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
  return missingPart(folder, part, namesInWords(fileNames));
}

/** @param there - what the folder has in its place */
export function missingPart(folder: string, part: Part, there: string): DataError {
  return new DataError(
    "FILE_MISSING",
    `${folder} has no IDX file of ${part} (${there}); put ${parts.get(part)} there, plain or as .gz, or name another folder.`,
  );
}

/** One name or more, of which a sentence has room for four. */
export function namesInWords(names: readonly string[]): string {
  return `there ${names.length === 1 ? "is" : "are"} ${names.slice(0, 4).join(", ")}${names.length > 4 ? ", ..." : ""}`;
}

/** What an IDX file holds, or undefined for any other file. */
async function sniff(
  path: string,
  isNamed: boolean = isNamedIdx(basename(path)),
): Promise<Content | undefined> {
  try {
    const start = await readFilePrefix(path, sniffBytes);
    const content = idxContent(isGzip(start) ? await gunzipPrefix(start, path, 4) : start);
    // A file that claims by its name to be one of ours is not passed over: its parser says what is wrong with
    // it.
    if (content !== undefined || !isNamed) return content;
    const { shape } = await parseIdx(await readBoundedFile(path, maxIdxBytes), path);
    return shape.length === 1 ? "labels" : "images";
  } catch (error) {
    if (error instanceof DataError && !isNamed) return undefined;
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

function isNamedIdx(fileName: string): boolean {
  return /(?:idx\d|ubyte)(?:\.gz)?$/i.test(fileName);
}

/** `...ubyte.md5`, `...ubyte.gz.crdownload`, `...ubyte (1)`: a name that goes on after that of an IDX file. */
function isNeighbour(fileName: string): boolean {
  return /idx\d|ubyte/i.test(fileName) && !isNamedIdx(fileName);
}

function isGz(fileName: string): boolean {
  return /\.gz$/i.test(fileName);
}
