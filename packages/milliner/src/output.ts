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
    json: (value) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    isTerminal: process.stderr.isTTY === true,
    columns: () => process.stderr.columns || 80, // a terminal that does not know its width says 0
  };
}
