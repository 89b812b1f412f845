import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveFolder } from "@milliner/data";
import { afterAll, beforeAll } from "vitest";
import { tinyDataset, tinyOptions } from "./tiny-dataset.ts";

/** Where the tests of a file have the command write. */
export interface CommandFolder {
  /** With a space in its name, as users' folders have. */
  readonly folder: string;
  /** The tiny images, below it. */
  readonly data: string;
  /** The words of a small run on them, some of its settings replaced. */
  readonly trainArgs: (out: string, changes?: Readonly<Record<string, string | number>>) => readonly string[];
}

/** Makes that folder, which is gone when the tests of the file have ended. */
export function commandFolder(): CommandFolder {
  const folder = mkdtempSync(join(tmpdir(), "milliner command "));
  const data = join(folder, "tiny images");
  beforeAll(() => saveFolder(data, tinyDataset()));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    data,
    trainArgs: (out, changes) => [
      "train",
      "split-mnist",
      "--data",
      data,
      "--out",
      out,
      ...tinyOptions(changes),
    ],
  };
}
