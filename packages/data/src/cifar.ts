import { basename, dirname } from "node:path";

import type { FileKind } from "./file-kind.ts";

/** A record is one byte of label, or two, and 3 x 32 x 32 pixels. */
const recordBytes = { 10: 3073, 100: 3074 };

/**
 * Whether a file is of CIFAR-10 or CIFAR-100 as they are published. Their binary form has no signature: it is told by the names of
 * the files, or by `.bin` and a size of whole records.
 *
 * @param found - what the content is by its first bytes
 * @param contentBytes - size of the content, unpacked
 */
export function recogniseCifar(
  path: string,
  found: FileKind | undefined,
  contentBytes: number,
): FileKind | undefined {
  const name = basename(path).replace(/\.gz$/i, "");
  const archive = /^cifar-(100?)-(python|binary)\b/i.exec(name);
  if (archive !== null) return cifar(archive[1]!, archive[2]!.toLowerCase() === "binary");
  if (found?.kind === "pickle") {
    if (/^(?:data_batch_\d+|test_batch|batches\.meta)$/.test(name)) return cifar("10", false);
    return /cifar-?100/i.test(basename(dirname(path))) ? cifar("100", false) : undefined;
  }
  if (/^(?:data_batch_\d+|test_batch)\.bin$/i.test(name)) return cifar("10", true);
  if (found !== undefined || contentBytes === 0 || !/\.bin$/i.test(name)) return undefined;
  if (contentBytes % recordBytes[10] === 0) return cifar("10", true);
  return contentBytes % recordBytes[100] === 0 ? cifar("100", true) : undefined;
}

function cifar(classes: string, isBinary: boolean): FileKind {
  return {
    kind: "cifar",
    what: isBinary ? `in the binary form of CIFAR-${classes}` : `CIFAR-${classes} as Python pickles`,
  };
}
