export type { PixelRange } from "./byte-values.ts";
export { asideSuffix, writeFailure, writeFileAtomically, type WriteFailure } from "./atomic-file.ts";
export { readBoundedFile, readBoundedPieces } from "./bounded-file.ts";
export { defaultCacheFolder } from "./cache-folder.ts";
export { DataError, type DataErrorCode } from "./data-error.ts";
export {
  createDataset,
  createImageSet,
  type Dataset,
  type ImageSet,
  type ImageSetNames,
  numberedClasses,
  type PixelArray,
  type RawImages,
} from "./dataset.ts";
export {
  type Checksum,
  type DatasetSource,
  downloadDataset,
  type DownloadOptions,
  type DownloadProgress,
  type RemoteFile,
} from "./download.ts";
export { fashionMnist, loadFashionMnist } from "./fashion-mnist.ts";
export { type FileKind, type FileKindName, recogniseFile } from "./file-kind.ts";
export { flush, flushContentSync, flushFolder, unsyncedWarning } from "./flush.ts";
export { type FolderOptions, loadFolder, saveFolder } from "./folder.ts";
export {
  type IdxArray,
  idxImages,
  type IdxImages,
  idxLabels,
  type IdxOptions,
  parseIdx,
  writeIdx,
} from "./idx.ts";
export { makeFolder } from "./make-folder.ts";
export { loadMnist, mnist } from "./mnist.ts";
export { measureNormalisation, type Normalisation } from "./normalisation.ts";
export { pidNamespace } from "./pid-namespace.ts";
export { holdsPublished } from "./published.ts";
export { errorCode, errorMessage } from "./thrown.ts";
