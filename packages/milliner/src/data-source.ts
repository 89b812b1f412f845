import { createHash } from "node:crypto";
import { ConfigError } from "@milliner/core";
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
import type { RunNotes } from "./settings/run-file.ts";
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
    hash
      .update(JSON.stringify([shape, labels.length]))
      .update(images)
      .update(labels);
  }
  return hash.digest("hex");
}

/**
 * Holds a run to its images: with others the bits and the figures would be those of no run.
 * @param given - what messages call the images that are there
 * @throws ConfigError (`OTHER_DATA`)
 */
export function checkImages(dataset: Dataset, notes: RunNotes, given: string = dataset.name): Dataset {
  if (hashImages(dataset) === notes.imagesSha256) return dataset;
  throw new ConfigError(
    "OTHER_DATA",
    `${given} does not hold the images that the run was trained on (${notes.dataset}); name their folder with --data`,
  );
}

/**
 * The images of an earlier run, to look at it again, from where it had them or from the folder `settings.data`.
 * @throws DataError (`FILE_MISSING`) when they were in memory only, and as `loadData` does; ConfigError (`OTHER_DATA`) when they
 *   are others
 */
export async function loadDataAgain(
  settings: Settings,
  notes: RunNotes,
  options: DataOptions = {},
): Promise<Dataset> {
  if (notes.source === "memory" && settings.data === null) {
    throw new DataError(
      "FILE_MISSING",
      `the run was trained on ${notes.dataset} in memory, which is gone; give its images as a folder with --data`,
    );
  }
  const { data, range } = settings;
  const dataset =
    data === null
      ? (await loadData(settings, options)).dataset
      : await loadFolder(data, { name: notes.dataset, range: range ?? undefined });
  return checkImages(dataset, notes, data ?? dataset.name);
}
