/** Where a command writes: results to one, everything else to the other. */
export interface Output {
  readonly result: (text: string) => void;
  readonly note: (text: string) => void;
  /** Whether progress may be drawn over itself. */
  readonly isTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: () => number;
}

/**
 * The process's own streams. Whoever reads them may go away (`milliner train ... | head`): nobody is left to be told then.
 */
export function processOutput(): Output {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  return {
    result: (text) => void process.stdout.write(text),
    note: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    columns: () => process.stderr.columns ?? 80,
  };
}

/** One JSON object, and nothing else. */
export function printJson(output: Output, value: object): void {
  output.result(`${JSON.stringify(value, null, 2)}\n`);
}
