import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { ConfigError, pieces } from "@milliner/core";
import {
  DataError,
  downloadDataset,
  fashionMnist,
  holdsPublished,
  loadFolder,
  mnist,
  type Dataset,
  type DatasetSource,
  type DownloadProgress,
} from "@milliner/data";
import type { RunFile, RunNotes } from "./settings/run-file.ts";
import type { DatasetName, Settings } from "./settings/settings.ts";

/** How a run's images are got. */
export interface DataOptions {
  /** Use what was downloaded earlier and never the network. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

const published: Readonly<Record<DatasetName, DatasetSource>> = { mnist, "fashion-mnist": fashionMnist };

/** Images, and which published data set they are, if any: by their content, wherever they lay. */
export interface FoundData {
  readonly dataset: Dataset;
  readonly published: DatasetName | null;
}

/**
 * The data set that settings speak of: the folder `data`, else the published one. A folder that holds a published data set
 * bears its name, so that a run does not depend on where its files lay; any other folder has a name of its own.
 *
 * @throws DataError as `loadFolder` and `downloadDataset` do; ConfigError (`MISSING_DATA`, `CONFLICTING_OPTIONS`)
 */
export async function loadData(settings: Settings, options: DataOptions = {}): Promise<FoundData> {
  const { data, dataset: name, range } = settings;
  if (data !== null) {
    const dataset = await loadFolder(data, { range: range ?? undefined });
    const names = Object.keys(published) as DatasetName[];
    const known = names.find((each) => holdsPublished(dataset, published[each]));
    return known === undefined
      ? { dataset, published: null }
      : { dataset: { ...dataset, name: known }, published: known };
  }
  if (name === null) {
    throw new ConfigError(
      "MISSING_DATA",
      "nothing says where the images are; give --data FOLDER, or set dataset: mnist",
    );
  }
  if (range !== null) {
    throw new ConfigError(
      "CONFLICTING_OPTIONS",
      `range is for the floats of your own images, and those of ${name} are bytes; leave it out, or give --data FOLDER`,
    );
  }
  const { offline, signal, onProgress } = options;
  const dataset = await downloadDataset(published[name], { offline, signal, onProgress });
  return { dataset, published: name };
}

/** SHA-256 over shapes, images and labels of both sets: what a run was trained on, wherever it lies. */
export function hashImages({ train, test }: Dataset): string {
  const hash = createHash("sha256");
  for (const { shape, images, labels } of [train, test]) {
    hash.update(JSON.stringify([shape, labels.length]));
    for (const part of [images, labels]) for (const piece of pieces(part)) hash.update(piece);
  }
  return hash.digest("hex");
}

/**
 * Holds a run to its images: with others the bits and the figures would be those of no run.
 * @param given - what messages call the images that are there
 * @param own - where the run had its own, if elsewhere
 * @throws ConfigError (`OTHER_DATA`)
 */
export function checkImages(
  dataset: Dataset,
  notes: RunNotes,
  given: string = dataset.name,
  own: string | null = null,
): Dataset {
  if (hashImages(dataset) === notes.imagesSha256) return dataset;
  const which = own === null || own === given ? notes.dataset : `${notes.dataset}, from ${own}`;
  throw new ConfigError(
    "OTHER_DATA",
    `${given} does not hold the images that the run was trained on (${which}); name their folder with --data`,
  );
}

/**
 * The images of an earlier run, to look at it again, from where it had them or from another folder.
 * @param given - that folder
 * @throws DataError (`FILE_MISSING`) when they are gone, or were in memory only, and as `loadData` does; ConfigError
 *   (`OTHER_DATA`) when they are others
 */
export async function loadDataAgain(
  { settings, notes }: RunFile,
  given: string | null,
  options: DataOptions = {},
): Promise<Dataset> {
  const { data: own, range } = settings;
  const folder = given ?? own;
  if (notes.source === "memory" && folder === null) {
    throw new DataError(
      "FILE_MISSING",
      `the run was trained on ${notes.dataset} in memory, which is gone; give its images as a folder with --data`,
    );
  }
  if (folder === null) {
    const { dataset } = await loadData(settings, options);
    return checkImages(dataset, notes);
  }
  if (folder === own && !existsSync(folder)) {
    throw new DataError(
      "FILE_MISSING",
      `${folder}, which had the run's images (${notes.dataset}), does not exist; check the path, or name it with --data`,
    );
  }
  const dataset = await loadFolder(folder, { name: notes.dataset, range: range ?? undefined });
  return checkImages(dataset, notes, folder, own);
}
