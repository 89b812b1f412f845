import { createHash } from "node:crypto";
import { join, resolve } from "node:path";

import { ensureFolder, writeFileAtomically } from "./atomic-file.ts";
import { readBoundedFile } from "./bounded-file.ts";
import { defaultCacheFolder } from "./cache-folder.ts";
import { DataError } from "./data-error.ts";
import { createDataset, createImageSet, type Dataset, type ImageSet } from "./dataset.ts";
import { gunzip, maxPackedBytes } from "./gzip.ts";
import { idxImages, idxLabels, parseIdx } from "./idx.ts";
import { receive } from "./receive.ts";
import { checkKeys, type OptionKeys } from "./option-keys.ts";

/** What a published file is recognised by. */
export interface Checksum {
  readonly algorithm: "sha256" | "md5";
  /** Whether the sum is of the compressed file as published, or of its content (whoever packed it). */
  readonly of: "file" | "content";
  /** Lower case. */
  readonly hex: string;
}

/** A published gzip file of IDX data. */
export interface RemoteFile {
  readonly name: string;
  /** Size of the unpacked content. */
  readonly contentBytes: number;
  readonly checksum: Checksum;
}

/** A data set of four published files. */
export interface DatasetSource {
  /** Also the name of its folder in the cache. */
  readonly name: string;
  /** Addresses of folders that hold the four files under their names; tried in this order. */
  readonly mirrors: readonly string[];
  readonly classes: readonly string[];
  readonly trainImages: RemoteFile;
  readonly trainLabels: RemoteFile;
  readonly testImages: RemoteFile;
  readonly testLabels: RemoteFile;
}

export interface DownloadProgress {
  readonly dataset: string;
  readonly file: string;
  readonly url: string;
  readonly receivedBytes: number;
  /** What the server announced, if it did. */
  readonly totalBytes: number | undefined;
}

export interface DownloadOptions {
  /** Where data sets are kept, a folder each. Default: `defaultCacheFolder()`. */
  readonly cacheFolder?: string | undefined;
  /** Use what is in the cache and never the network. Default false. */
  readonly offline?: boolean | undefined;
  /** Addresses to use in place of the published ones; the checksums stay. */
  readonly mirrors?: readonly string[] | undefined;
  /** Longest wait for the next bytes, in seconds, > 0. Default 30. */
  readonly idleSeconds?: number | undefined;
  /** Longest duration of one file from one address, in seconds, > 0. Default 900. */
  readonly totalSeconds?: number | undefined;
  /** Stops a download; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * Loads a published data set from the cache, downloading what is not there.
 *
 * A file is used only when its checksum is that of the published one, whether it comes from the cache or an
 * address: a damaged file in the cache is downloaded again, a false one from an address is dropped and the
 * next address asked. A download is held in memory until it is checked, then written aside and renamed, so no
 * half or false file ever lies in the cache under a final name. The cache's folder is a folder that
 * `loadFolder` reads, and files may be put there by hand.
 *
 * @param source - which data set
 * @returns the data set
 * @throws DataError `OFFLINE` (names every missing file and the folder), `CHECKSUM_MISMATCH`,
 *   `DOWNLOAD_INTERRUPTED` (the same may succeed later), `DOWNLOAD_FAILED`, `TOO_LARGE`, `READ_FAILED`,
 *   `WRITE_FAILED`, `DISK_FULL`, `FILE_SIZE_LIMIT`, `BAD_OPTION`
 */
export async function downloadDataset(
  source: DatasetSource,
  options: DownloadOptions = {},
): Promise<Dataset> {
  checkOptions(options);
  const folder = resolve(options.cacheFolder ?? defaultCacheFolder(), source.name);
  const files = [source.trainLabels, source.testLabels, source.trainImages, source.testImages];
  const contents = new Map<RemoteFile, Uint8Array>();
  const absent: RemoteFile[] = [];
  for (const file of files) {
    const content = await readCached(folder, file, options);
    if (content === undefined) absent.push(file);
    else contents.set(file, content);
  }
  if (options.offline === true && absent.length > 0) throw offlineError(source, folder, absent);
  for (const file of absent) {
    const { packed, content } = await downloadFile(source, file, folder, options);
    await ensureFolder(folder);
    await writeFileAtomically(join(folder, file.name), packed); // a power cut may take it: its checksum tells
    contents.set(file, content);
  }

  const load = async (images: RemoteFile, labels: RemoteFile): Promise<ImageSet> => {
    const [imageArray, labelArray] = [
      await parseIdx(contents.get(images)!, images.name),
      await parseIdx(contents.get(labels)!, labels.name),
    ];
    return createImageSet(
      idxImages(imageArray, images.name),
      idxLabels(labelArray, labels.name),
      source.classes,
      {
        images: images.name,
        labels: labels.name,
      },
    );
  };
  const train = await load(source.trainImages, source.trainLabels);
  const test = await load(source.testImages, source.testLabels);
  return createDataset(source.name, train, test);
}

/** The content of a file in the cache; undefined where it has to be downloaded. */
async function readCached(
  folder: string,
  file: RemoteFile,
  options: DownloadOptions,
): Promise<Uint8Array | undefined> {
  const path = join(folder, file.name);
  try {
    return await verify(await readBoundedFile(path, maxPackedBytes(file.contentBytes)), file, path);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    if (error.code === "FILE_MISSING") return undefined;
    const isDamaged = error.code === "CHECKSUM_MISMATCH" || error.code === "TOO_LARGE";
    if (isDamaged && options.offline !== true) return undefined;
    throw error;
  }
}

async function downloadFile(
  source: DatasetSource,
  file: RemoteFile,
  folder: string,
  options: DownloadOptions,
): Promise<{ readonly packed: Uint8Array; readonly content: Uint8Array }> {
  const failures: DataError[] = [];
  for (const mirror of options.mirrors ?? source.mirrors) {
    const url = `${mirror}${mirror.endsWith("/") ? "" : "/"}${file.name}`;
    try {
      const packed = await receive(url, {
        maxBytes: maxPackedBytes(file.contentBytes),
        idleSeconds: options.idleSeconds ?? 30,
        totalSeconds: options.totalSeconds ?? 900,
        signal: options.signal,
        onBytes: (receivedBytes, totalBytes) =>
          options.onProgress?.({ dataset: source.name, file: file.name, url, receivedBytes, totalBytes }),
      });
      return { packed, content: await verify(packed, file, url) };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof DataError)) throw error;
      failures.push(error);
    }
  }
  const codes = new Set(failures.map((failure) => failure.code));
  const mixed = codes.has("DOWNLOAD_INTERRUPTED") ? "DOWNLOAD_INTERRUPTED" : "DOWNLOAD_FAILED";
  const [code] = codes.size === 1 ? codes : ([mixed] as const);
  const reasons = failures.map((failure) => failure.message.replace(/[.;]?$/, "")).join("; ");
  throw new DataError(
    code ?? "DOWNLOAD_FAILED",
    `${file.name} of ${source.name} could not be downloaded (${reasons || "no address was given"}); check the network, ` +
      `or put the file into ${folder} by hand.`,
    { cause: failures.length === 1 ? failures[0] : new AggregateError(failures) },
  );
}

/**
 * Unpacks a file and compares it with what was published.
 *
 * @returns the content
 * @throws DataError `CHECKSUM_MISMATCH`, also where it cannot even be unpacked
 */
async function verify(packed: Uint8Array, file: RemoteFile, name: string): Promise<Uint8Array> {
  const { algorithm, of, hex } = file.checksum;
  const mismatch = (found: string, cause?: unknown) =>
    new DataError(
      "CHECKSUM_MISMATCH",
      `${name} is not the published ${file.name}: ${found}; get the file again.`,
      cause === undefined ? {} : { cause },
    );
  const check = (bytes: Uint8Array): void => {
    const sum = createHash(algorithm).update(bytes).digest("hex");
    if (sum !== hex)
      throw mismatch(`${algorithm} of its ${of === "file" ? "bytes" : "content"} is ${sum}, not ${hex}`);
  };
  if (of === "file") check(packed);
  let content: Uint8Array;
  try {
    content = await gunzip(packed, name, file.contentBytes);
  } catch (error) {
    throw mismatch("it cannot be unpacked", error);
  }
  if (content.length !== file.contentBytes) {
    throw mismatch(`it unpacks to ${content.length} bytes, not ${file.contentBytes}`);
  }
  if (of === "content") check(content);
  return content;
}

function offlineError(source: DatasetSource, folder: string, absent: readonly RemoteFile[]): DataError {
  const names = absent.map((file) => file.name).join(", ");
  const [mirror] = source.mirrors;
  const from = mirror === undefined ? "" : ` (from ${mirror})`;
  return new DataError(
    "OFFLINE",
    `${source.name} needs ${names}, not there in ${folder}, and downloading is off; put ${
      absent.length === 1 ? "the file" : "the files"
    } there${from}, or run once with downloading on.`,
  );
}

const downloadKeys: OptionKeys<DownloadOptions> = {
  cacheFolder: true,
  offline: "switch",
  mirrors: true,
  idleSeconds: true,
  totalSeconds: true,
  signal: true,
  onProgress: true,
};

function checkOptions(options: DownloadOptions): void {
  checkKeys("downloadDataset", options, downloadKeys);
  const { idleSeconds, totalSeconds, mirrors } = options;
  for (const [key, seconds] of Object.entries({ idleSeconds, totalSeconds })) {
    if (seconds !== undefined && !(seconds > 0)) {
      throw new DataError("BAD_OPTION", `${key} is ${seconds}; give a number of seconds above 0.`);
    }
  }
  for (const mirror of mirrors ?? []) {
    if (!/^https?:\/\//.test(mirror) || !URL.canParse(mirror)) {
      throw new DataError(
        "BAD_OPTION",
        `mirror ${JSON.stringify(mirror)} is not an http or https address; correct it.`,
      );
    }
  }
}
