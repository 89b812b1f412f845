import { fstatSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, shortened } from "@milliner/core";
import { asideSuffix } from "@milliner/data";

/** What is written into a folder, and how it is known there. */
export interface OutKind {
  /** What messages call it: `a run`. */
  readonly what: string;
  /** Name of a folder that messages propose. */
  readonly example: string;
  /** Whether it writes a file or folder of this name: a folder that holds nothing else is its own. */
  readonly isOwn: (name: string) => boolean;
  /** Names that nobody else gives. Beside one of them anything may lie: notes, logs. */
  readonly signs: readonly string[];
}

// What file managers, version control and file systems put into a folder that is empty to its owner.
const emptyNames: ReadonlySet<string> = new Set([
  ".DS_Store",
  ".localized",
  "Thumbs.db",
  "desktop.ini",
  ".gitkeep",
  ".keep",
  ".gitignore",
  "lost+found",
]);

// What a shell, nohup or a scheduler writes beside what it starts: `train --out d > d/train.log`.
const logName = /\.(?:log|out|err)$/i;

const mostNamed = 3;

/**
 * Refuses a folder that holds other things, before anything is written into it. One that is not there, is empty, holds what was
 * written before, or cannot be read (which is told better when it is written to) is taken.
 * @throws ConfigError (`OTHER_FILES`)
 */
export async function checkOutFolder(path: string, { what, example, isOwn, signs }: OutKind): Promise<void> {
  const names = (await readdir(path).catch((): string[] => [])).toSorted();
  if (signs.some((sign) => names.includes(sign))) return;
  const foreign = names.filter((name) => !isLikeNothing(name) && !isOwn(name));
  const written = await Promise.all(foreign.map((name) => isWrittenByUs(join(path, name))));
  const others = foreign.filter((_, index) => !written[index]);
  if (others.length === 0) return;
  const named = others.slice(0, mostNamed).map((name) => shortened(name));
  const more = others.length > mostNamed ? ` and ${others.length - mostNamed} more` : "";
  throw new ConfigError(
    "OTHER_FILES",
    `${path} holds other things (${named.join(", ")}${more}), among which ${what} would be strewn; choose a new or an empty ` +
      `folder, such as ${join(path, example)}`,
  );
}

function isLikeNothing(name: string): boolean {
  return emptyNames.has(name) || name.endsWith(asideSuffix) || logName.test(name);
}

/** Whether a file is where this process's own output goes, whatever it is called. */
async function isWrittenByUs(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && [1, 2].some((descriptor) => isOfDescriptor(descriptor, found));
}

function isOfDescriptor(
  descriptor: number,
  { dev, ino }: { readonly dev: number; readonly ino: number },
): boolean {
  try {
    const ours = fstatSync(descriptor);
    return ours.dev === dev && ours.ino === ino;
  } catch {
    return false; // closed
  }
}
