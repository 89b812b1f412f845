import { printable } from "@milliner/core";

/** Where a command writes: results to one, everything else to the other. */
export interface Output {
  readonly result: (text: string) => void;
  readonly note: (text: string) => void;
  /** What `--json` has to say: the command prints it as one object at its end, with the error beside it where it failed. */
  readonly json: (value: object) => void;
  /** Whether notes go to a terminal. */
  readonly isTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: () => number;
}

/** A line, whatever is in it: names of files and tasks, warnings, settings. */
export function oneLine(text: string): string {
  return `${printable(text)}\n`;
}

/** What a function of the library warns of where its caller does not listen. */
export function processWarning(message: string): void {
  process.emitWarning(printable(message));
}

/** Text of several lines, each of them printable but for tabs. */
export function printableLines(text: string): string {
  return text.replaceAll(/[^\n\t]+/g, printable);
}

/** A value as JSON that a terminal may be shown: JSON itself lets the upper control characters and marks of direction stand. */
export function jsonText(value: object): string {
  const escaped = JSON.stringify(value, null, 2).replaceAll(/[\u007f-\u{10ffff}]/gu, (character) =>
    printable(character) === character
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
  return `${escaped}\n`;
}

/**
 * The process's own streams. Whoever reads them may go away (`milliner train ... | head`): nobody is left to be told then.
 * Progress that cannot be written is dropped; a result that cannot be is a failure.
 */
export function processOutput(): Output {
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || (error.code === "EIO" && process.stdout.isTTY)) return; // a pipe or a terminal that was closed
    process.stderr.write(
      `error: the result cannot be written to stdout (${error.code ?? error.message}); what was done is done\n`,
    );
    process.exit(1);
  });
  return {
    result: (text) => void process.stdout.write(text),
    note: (text) => void process.stderr.write(text),
    json: (value) => void process.stdout.write(jsonText(value)),
    isTerminal: process.stderr.isTTY === true,
    columns: () => process.stderr.columns || 80, // a terminal that does not know its width says 0
  };
}
