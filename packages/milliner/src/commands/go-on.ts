import { relative } from "node:path";
import { calledAs } from "../called-as.ts";
import { shellLine } from "../shell-line.ts";

/** What decides where a run lies, and whether it is resumed. */
interface PlaceFlags {
  readonly out?: string;
  readonly seeds?: readonly number[];
  readonly resume?: boolean;
}

/**
 * The same command with `--resume`, and with the run's folder where nobody had named one.
 *
 * @param args - all that stood behind the command's name
 * @param folder - of the run; null where none had begun
 */
export function goOnLine(
  args: readonly string[],
  { out, seeds, resume }: PlaceFlags,
  folder: string | null,
): string {
  const isPlaced = out !== undefined || seeds !== undefined;
  const place = isPlaced || folder === null ? [] : ["--out", relative("", folder) || "."];
  // Without a place nothing has been begun, and --resume would go on with the run before.
  const again = resume === true || (!isPlaced && folder === null) ? [] : ["--resume"];
  // Behind `--` no word is an option: there they come right behind the name of the subcommand.
  const at = args.includes("--") ? args.findIndex((word) => !word.startsWith("-")) + 1 : args.length;
  return shellLine([...calledAs().split(" "), ...args.toSpliced(at, 0, ...place, ...again)]);
}
